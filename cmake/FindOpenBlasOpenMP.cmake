# OpenBlasOpenMP::OpenBlasOpenMP: OpenBLAS in its OpenMP build, the one that shares the thread pool.
#
# Distributions keep the variants apart by folder (Debian: openblas-openmp/) or by library name
# (Fedora: libopenblaso), and those places are looked at before the common ones.
include(CheckCXXSourceRuns)
include(FindPackageHandleStandardArgs)

find_path(OpenBlasOpenMP_INCLUDE_DIR NAMES cblas.h
  HINTS /opt/homebrew/opt/openblas/include PATH_SUFFIXES openblas-openmp openblas)
find_library(OpenBlasOpenMP_LIBRARY NAMES openblaso openblas
  HINTS /opt/homebrew/opt/openblas/lib PATH_SUFFIXES openblas-openmp)

# A build over plain threads would put its own pool beside ours, so the variant is asked, not guessed.
if(OpenBlasOpenMP_INCLUDE_DIR AND OpenBlasOpenMP_LIBRARY AND NOT CMAKE_CROSSCOMPILING)
  set(CMAKE_REQUIRED_INCLUDES ${OpenBlasOpenMP_INCLUDE_DIR})
  set(CMAKE_REQUIRED_LIBRARIES ${OpenBlasOpenMP_LIBRARY})
  check_cxx_source_runs(
    "#include <cblas.h>
     int main() { return openblas_get_parallel() == OPENBLAS_OPENMP ? 0 : 1; }"
    OpenBlasOpenMP_IS_OPENMP)
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_REQUIRED_LIBRARIES)
else()
  set(OpenBlasOpenMP_IS_OPENMP ${CMAKE_CROSSCOMPILING})
endif()

find_package_handle_standard_args(OpenBlasOpenMP
  REQUIRED_VARS OpenBlasOpenMP_LIBRARY OpenBlasOpenMP_INCLUDE_DIR OpenBlasOpenMP_IS_OPENMP
  REASON_FAILURE_MESSAGE "install OpenBLAS built with OpenMP (Debian: libopenblas-openmp-dev)")

if(OpenBlasOpenMP_FOUND AND NOT TARGET OpenBlasOpenMP::OpenBlasOpenMP)
  add_library(OpenBlasOpenMP::OpenBlasOpenMP UNKNOWN IMPORTED)
  set_target_properties(OpenBlasOpenMP::OpenBlasOpenMP PROPERTIES
    IMPORTED_LOCATION ${OpenBlasOpenMP_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${OpenBlasOpenMP_INCLUDE_DIR})
endif()
mark_as_advanced(OpenBlasOpenMP_INCLUDE_DIR OpenBlasOpenMP_LIBRARY)
