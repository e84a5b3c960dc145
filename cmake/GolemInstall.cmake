# find_package(golem-service-manager) gives golem::service_manager and golem::devnet.
include(CMakePackageConfigHelpers)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/golem-service-manager)

set(libraries golem-service-manager golem_boost)
if(TARGET golem-devnet)
  list(APPEND libraries golem-devnet)
endif()
set_target_properties(golem_boost PROPERTIES EXPORT_NAME boost)

install(DIRECTORY include/golem DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
install(TARGETS ${libraries} EXPORT golem-service-manager-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT golem-service-manager-targets NAMESPACE golem:: DESTINATION ${package_folder})

configure_package_config_file(
  cmake/golem-service-manager-config.cmake.in ${PROJECT_BINARY_DIR}/golem-service-manager-config.cmake
  INSTALL_DESTINATION ${package_folder})
# Before 1.0 a new minor version may break its users.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/golem-service-manager-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/golem-service-manager-config.cmake
  ${PROJECT_BINARY_DIR}/golem-service-manager-config-version.cmake
  DESTINATION ${package_folder})

# For builds without CMake. The paths follow from where the file lies, so the prefix may be chosen as late as the installation.
function(golem_pkg_config name description requires)
  if(TARGET ${name})
    file(RELATIVE_PATH prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
    configure_file(cmake/golem-library.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  endif()
endfunction()
golem_pkg_config(golem-service-manager "${PROJECT_DESCRIPTION}" "openssl spdlog")
golem_pkg_config(golem-devnet "A whole Golem Network in one process, to try and to test services" golem-service-manager)

# As they lie here, so that links between them hold.
install(FILES LICENSE README.md CHANGELOG.md CONTRIBUTING.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING REGEX "\\.(cpp|hpp|md|html|in|py)$")
