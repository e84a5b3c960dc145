# Everything comes from the distribution; nothing is vendored and nothing is downloaded.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(spdlog 1.10 REQUIRED)

# Boost headers with the settings that every unit of a program must share.
add_library(golem_boost INTERFACE)
target_link_libraries(golem_boost INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(golem_boost INTERFACE BOOST_ASIO_NO_DEPRECATED)

# FlexBuffers, of which only headers are used: the bus speaks them.
find_path(GOLEM_FLATBUFFERS_INCLUDE flatbuffers/flexbuffers.h)
if(NOT GOLEM_FLATBUFFERS_INCLUDE)
  message(FATAL_ERROR "flatbuffers/flexbuffers.h is missing (Debian: libflatbuffers-dev)")
endif()
