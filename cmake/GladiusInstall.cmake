# What `cmake --install` leaves for find_package(gladius): the libraries and headers that each folder
# installs (see gladius_library), as the targets gladius::tensor, gladius::autograd, ...
include(CMakePackageConfigHelpers)

set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/gladius)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/gladius-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(EXPORT gladius-targets NAMESPACE gladius:: DESTINATION ${package_directory})
install(
  FILES
    ${CMAKE_CURRENT_BINARY_DIR}/gladius-config-version.cmake
    cmake/FindOpenBlasOpenMP.cmake
    cmake/gladius-config.cmake
  DESTINATION ${package_directory})
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR} PATTERN embedded EXCLUDE)
