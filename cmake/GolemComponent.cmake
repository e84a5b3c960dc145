# One component a folder: src/X compiles what include/golem/X declares.
#
#   golem_component(NAME SOURCES file… USES component… PRIVATE_LINKS target…)
#
# makes the object library golem_NAME, which sees the headers of what it uses. The two libraries that users link are put
# together from components in src/CMakeLists.txt; tests link the components they test.
add_library(golem_own_code INTERFACE)
target_compile_features(golem_own_code INTERFACE cxx_std_20)
target_compile_options(golem_own_code INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Woverloaded-virtual -Wcast-qual
  $<$<BOOL:${GOLEM_WARNINGS_AS_ERRORS}>:-Werror>
  # g++ 12 warns in every Asio unit that thread sanitizers do not know fences.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>
  # g++ 12 sees overlapping copies in its own std::string when it optimises (GCC PR 105651).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)

function(golem_component name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;PRIVATE_LINKS" ${ARGN})
  add_library(golem_${name} OBJECT ${arg_SOURCES})
  target_include_directories(golem_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_features(golem_${name} PUBLIC cxx_std_20)
  target_link_libraries(golem_${name} PUBLIC golem_boost PRIVATE $<BUILD_INTERFACE:golem_own_code> ${arg_PRIVATE_LINKS})
  set_target_properties(golem_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  golem_precompile(golem_${name} golem_precompiled)
  set_property(GLOBAL PROPERTY GOLEM_USES_${name} "${arg_USES}")
  set_property(GLOBAL PROPERTY GOLEM_LINKS_${name} "${arg_PRIVATE_LINKS}")
endfunction()

# Names in OUT the components that NAMES need, themselves included, each once.
function(golem_closure out)
  set(open ${ARGN})
  set(found)
  while(open)
    list(POP_FRONT open name)
    if(NOT name IN_LIST found)
      list(APPEND found ${name})
      get_property(uses GLOBAL PROPERTY GOLEM_USES_${name})
      list(APPEND open ${uses})
    endif()
  endwhile()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# Links the objects of the components and of all they use into TARGET.
function(golem_link_components target)
  golem_closure(components ${ARGN})
  foreach(component ${components})
    target_link_libraries(${target} PRIVATE golem_${component})
  endforeach()
  target_link_libraries(${target} PRIVATE golem_boost golem_own_code OpenSSL::SSL OpenSSL::Crypto nlohmann_json::nlohmann_json spdlog::spdlog)
endfunction()

#   golem_library(NAME EXPORT_NAME COMPONENTS component…)
#
# makes the archive that users link, golem::EXPORT_NAME, from those of the components that exist. What the components link is
# needed to link a program, never to compile one.
function(golem_library name export_name)
  cmake_parse_arguments(arg "" "" "COMPONENTS" ${ARGN})
  set(objects)
  set(links OpenSSL::SSL OpenSSL::Crypto spdlog::spdlog)
  foreach(component ${arg_COMPONENTS})
    if(TARGET golem_${component})
      list(APPEND objects $<TARGET_OBJECTS:golem_${component}>)
      get_property(component_links GLOBAL PROPERTY GOLEM_LINKS_${component})
      list(APPEND links ${component_links})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES links)
  # Headers leave nothing to link, and users need not have them.
  list(REMOVE_ITEM links nlohmann_json::nlohmann_json)
  if(NOT objects)
    return()
  endif()
  add_library(${name} STATIC ${objects})
  add_library(golem::${export_name} ALIAS ${name})
  set_target_properties(${name} PROPERTIES EXPORT_NAME ${export_name} LINKER_LANGUAGE CXX)
  target_include_directories(${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_link_libraries(${name} PUBLIC golem_boost PRIVATE ${links})
endfunction()
