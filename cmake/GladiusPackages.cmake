# The packages (docs/packages.md): of Debian the program, and the libraries to build with; of the preset
# "portable" a tarball of the program that runs without anything installed. `cpack --config
# build/release/CPackConfig.cmake` makes them, `./run package` checks them too.
set(CPACK_PACKAGE_VENDOR "Gladius")
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_CURRENT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_THREADS 0)
set(CPACK_VERBATIM_VARIABLES ON)

if(GLADIUS_PORTABLE)
  set(CPACK_GENERATOR TGZ)
  set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)
  set(CPACK_COMPONENTS_ALL program)
  set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
  set(CPACK_COMPONENT_INCLUDE_TOPLEVEL_DIRECTORY ON)
  string(TOLOWER "${CMAKE_SYSTEM_NAME}" system)
  set(CPACK_PACKAGE_FILE_NAME gladius-${PROJECT_VERSION}-${system}-${CMAKE_SYSTEM_PROCESSOR})
  include(CPack)
  return()
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL program development)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_SOURCE_DIR}/packaging/prepare_deb.cmake)

# A build in between: what is released will be newer than it.
set(CPACK_DEBIAN_PACKAGE_VERSION ${PROJECT_VERSION}~)
set(CPACK_DEBIAN_PACKAGE_RELEASE 0local1)  # not of the distribution
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "Gladius maintainers <maintainers@gladius.invalid>")
if(DEFINED ENV{DEBEMAIL})
  set(CPACK_DEBIAN_PACKAGE_MAINTAINER "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
endif()

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME gladius)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS libopenblas0-openmp)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS xdg-utils)
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION
"knowledge distillation of language models on the CPU
Trains a Llama-architecture student on an ordinary processor, by distillation
from larger teachers or on data alone, and generates text, evaluates, converts
and compares models and tokenizers. Reads and writes Hugging Face's model
directories and GGUF files.")

# The libraries are static: what they are made with has to be the same where they are linked.
function(same_series result package version)
  string(REGEX MATCH "^[0-9]+" major "${version}")
  math(EXPR next "${major} + 1")
  set(${result} "${package} (>= ${version}), ${package} (<< ${next})" PARENT_SCOPE)
endfunction()
same_series(fmt libfmt-dev ${fmt_VERSION})
same_series(hwy libhwy-dev ${hwy_VERSION})
string(JOIN ", " CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "${fmt}" "${hwy}" libopenblas-openmp-dev libpcre2-dev libssl-dev libutf8proc-dev
  nlohmann-json3-dev "pkgconf | pkg-config")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libgladius-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS cmake)
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
"tensors, autograd and distillation in C++20: headers and libraries
Tensors, reverse-mode automatic differentiation, layers, optimizers, language
models, tokenizers and what the program gladius trains with, as static
libraries for find_package(gladius) of CMake.")

include(CPack)
