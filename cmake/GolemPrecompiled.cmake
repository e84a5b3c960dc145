# Units of this project begin with the same headers, which are a quarter of the time of a whole build. Precompiled they are
# read once. A forgotten include is still found: each header is compiled alone, and users' builds go without this. In the
# build that the consumers in tests/ are compared with, the library goes without as well, so that theirs comes out of ccache.
set(golem_precompiled_headers
  <algorithm> <chrono> <functional> <map> <memory> <optional> <set> <sstream> <string> <variant> <vector>
  <boost/asio/any_io_executor.hpp> <boost/asio/as_tuple.hpp> <boost/asio/awaitable.hpp>
  <boost/asio/bind_cancellation_slot.hpp> <boost/asio/cancellation_signal.hpp> <boost/asio/co_spawn.hpp>
  <boost/asio/deferred.hpp> <boost/asio/error.hpp> <boost/asio/experimental/parallel_group.hpp>
  <boost/asio/io_context.hpp> <boost/asio/post.hpp> <boost/asio/steady_timer.hpp> <boost/asio/this_coro.hpp>
  <boost/asio/use_awaitable.hpp> <nlohmann/json.hpp>)

#   golem_precompile(TARGET SOURCE header…)
#
# TARGET reads what SOURCE, a target of the same flags, has precompiled: the headers above and those named. The first that
# names a SOURCE makes it.
function(golem_precompile target source)
  if(NOT GOLEM_PRECOMPILE STREQUAL ALL AND NOT (GOLEM_PRECOMPILE STREQUAL TESTS AND source MATCHES tests))
    return()
  endif()
  if(NOT TARGET ${source})
    set(unit ${PROJECT_BINARY_DIR}/precompiled/${source}.cpp)
    file(CONFIGURE OUTPUT ${unit} CONTENT "// Only its headers matter.\n")
    add_library(${source} OBJECT ${unit})
    get_target_property(independent ${target} POSITION_INDEPENDENT_CODE)
    if(independent)
      set_target_properties(${source} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    endif()
    target_compile_features(${source} PUBLIC cxx_std_20)
    target_link_libraries(${source} PRIVATE golem_boost golem_own_code nlohmann_json::nlohmann_json)
    target_precompile_headers(${source} PRIVATE ${golem_precompiled_headers} ${ARGN})
  endif()
  target_precompile_headers(${target} REUSE_FROM ${source})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    target_compile_options(${target} PRIVATE -fpch-preprocess) # ccache wants it
  endif()
endfunction()
