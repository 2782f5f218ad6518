# Everything the product links, all from the distribution's packages (see ./run for their names).

find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
find_package(hwy REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(PkgConfig REQUIRED)
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)
# Open MPI's headers, for several machines; its library is loaded when a launcher starts the program.
if(GLADIUS_MPI)
  pkg_check_modules(ompi ompi-c)
  if(NOT ompi_FOUND)
    message(STATUS "gladius: no Open MPI (Debian: libopenmpi-dev), so a run has one process")
  endif()
endif()

# Of these the distribution has static libraries. The others go with the program
# (GladiusInstallProgram.cmake); of OpenSSL too, as cpp-httplib's shared library needs the shared one.
if(GLADIUS_PORTABLE)
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a ${CMAKE_FIND_LIBRARY_SUFFIXES})
endif()
find_package(OpenBlasOpenMP REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)

if(GLADIUS_BUILD_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
if(GLADIUS_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()
