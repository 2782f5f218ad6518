# Read by find_package(gladius). The libraries are static, so what they are made with has to be there
# when a program is linked (Debian's names: see product_packages in ./run).
include(CMakeFindDependencyMacro)

find_dependency(fmt)
find_dependency(hwy)
find_dependency(nlohmann_json)
find_dependency(OpenMP COMPONENTS CXX)
find_dependency(OpenSSL COMPONENTS Crypto)

list(PREPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
find_dependency(OpenBlasOpenMP)
list(POP_FRONT CMAKE_MODULE_PATH)

find_dependency(PkgConfig)
pkg_check_modules(pcre2 QUIET IMPORTED_TARGET libpcre2-8)
pkg_check_modules(utf8proc QUIET IMPORTED_TARGET libutf8proc)
if(NOT pcre2_FOUND OR NOT utf8proc_FOUND)
  set(gladius_FOUND FALSE)
  set(gladius_NOT_FOUND_MESSAGE
    "gladius needs libpcre2-8 and libutf8proc (Debian: libpcre2-dev, libutf8proc-dev)")
  return()
endif()

include(${CMAKE_CURRENT_LIST_DIR}/gladius-targets.cmake)
