# Targets of one form: a library a folder, a test program a folder, a benchmark program a folder.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
# Those of a project above, if it has any; gladius_unity and gladius_target_options say what holds.
set(CMAKE_UNITY_BUILD OFF)
set(CMAKE_COMPILE_WARNING_AS_ERROR OFF)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

# Warnings and sanitizers; private, so that a consumer of the installed package keeps its own. The
# checks left out are up to half of the time to compile, and what they find is a use of memory that
# the address sanitizer reports itself.
function(gladius_target_options target)
  if(GLADIUS_WARNINGS)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic)
    if(GLADIUS_WERROR)
      target_compile_options(${target} PRIVATE -Werror)
    endif()
  else()
    target_compile_options(${target} PRIVATE -w)  # also those that a project above asks for
    set_target_properties(${target} PROPERTIES SYSTEM ON)
  endif()
  if(GLADIUS_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${GLADIUS_SANITIZE}
      -fno-sanitize=alignment,null,object-size,pointer-overflow,vptr
      -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${GLADIUS_SANITIZE})
  endif()
endfunction()

# gladius_optimise_sanitized(TARGET): the preset "asan" compiles at -O0, which takes a third of the
# time; but not where tests compute for long.
function(gladius_optimise_sanitized target)
  if(GLADIUS_SANITIZE)
    target_compile_options(${target} PRIVATE -O1)
  endif()
endfunction()

# gladius_unity(TARGET [EXCEPT FOLDER...]): compiles the target's sources in equal groups of up to 24,
# which takes half the time: most of it goes to the headers of nlohmann/json and fmt and to what is
# instantiated of them, and that once a group. So names in anonymous namespaces differ within a target,
# or their folder is excepted. Off in the preset "debug" (GLADIUS_UNITY), where a change compiles its own
# file alone.
function(gladius_unity target)
  cmake_parse_arguments(ARG "" "" "EXCEPT" ${ARGN})
  if(NOT GLADIUS_UNITY)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "\\.cpp$")
  foreach(source IN LISTS sources)
    cmake_path(GET source PARENT_PATH folder)
    if(folder IN_LIST ARG_EXCEPT)
      list(REMOVE_ITEM sources ${source})
    endif()
  endforeach()
  list(LENGTH sources count)
  math(EXPR groups "(${count} + 23) / 24")
  set(index 0)
  foreach(source IN LISTS sources)
    math(EXPR group "${index} * ${groups} / ${count}")
    math(EXPR index "${index} + 1")
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${group})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()

# gladius_include_root(FOLDER RESULT): the path of an include root through which the headers of a
# folder ("tensor", "models/tokenizer"), and no others, are reached as "gladius/FOLDER/x.h": a directory
# with one symbolic link.
function(gladius_include_root folder result)
  string(MAKE_C_IDENTIFIER ${folder} name)
  set(root ${PROJECT_BINARY_DIR}/include-roots/${name})
  get_filename_component(parent ${root}/gladius/${folder} DIRECTORY)
  file(MAKE_DIRECTORY ${parent})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${folder} ${root}/gladius/${folder} SYMBOLIC)
  set(${result} ${root} PARENT_SCOPE)
endfunction()

# gladius_library(NAME [PROGRAM_ONLY] [FOLDER ...] SOURCES ... HEADERS ... [DEPENDS ...] [PRIVATE_DEPENDS ...]
#                 [PRECOMPILE ... | PRECOMPILE_OF TARGET])
#
# The library gladius::NAME of a folder, by default NAME. Its headers are reached through an include root
# of its own, so an include of a folder that is not among DEPENDS does not compile. PRECOMPILE are headers
# of others that most sources include, for a library of many sources: to precompile them takes as long
# as to read them five times; PRECOMPILE_OF takes those of another. (-DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON
# shows a source that leaves an include out.) PROGRAM_ONLY: it is not installed.
function(gladius_library name)
  cmake_parse_arguments(ARG "PROGRAM_ONLY" "FOLDER;PRECOMPILE_OF"
    "SOURCES;HEADERS;DEPENDS;PRIVATE_DEPENDS;PRECOMPILE" ${ARGN})
  if(NOT ARG_FOLDER)
    set(ARG_FOLDER ${name})
  endif()
  gladius_include_root(${ARG_FOLDER} root)
  list(TRANSFORM ARG_HEADERS PREPEND ${root}/gladius/${ARG_FOLDER}/)

  add_library(gladius_${name} STATIC ${ARG_SOURCES})
  add_library(gladius::${name} ALIAS gladius_${name})
  set_target_properties(gladius_${name} PROPERTIES EXPORT_NAME ${name})
  target_sources(gladius_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${root} FILES ${ARG_HEADERS})
  target_compile_features(gladius_${name} PUBLIC cxx_std_20)
  target_link_libraries(gladius_${name} PUBLIC ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE_DEPENDS})
  gladius_target_options(gladius_${name})
  if(ARG_PRECOMPILE_OF)
    target_precompile_headers(gladius_${name} REUSE_FROM ${ARG_PRECOMPILE_OF})
  else()
    target_precompile_headers(gladius_${name} PRIVATE ${ARG_PRECOMPILE})
  endif()
  if(GLADIUS_INSTALL AND NOT ARG_PROGRAM_ONLY)
    install(TARGETS gladius_${name} EXPORT gladius-targets FILE_SET HEADERS)
  endif()
endfunction()

# gladius_test_program(NAME [JSON] SOURCES ... LIBRARIES ...): a program of tests/; JSON if most of its
# sources use it.
function(gladius_test_program name)
  cmake_parse_arguments(ARG "JSON" "" "SOURCES;LIBRARIES" ${ARGN})
  if(ARG_JSON)
    set(support gladius_json_test_support)
  else()
    set(support gladius_test_support)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} ${support})
  target_precompile_headers(${name} REUSE_FROM ${support})
  gladius_target_options(${name})
endfunction()

# gladius_test(FOLDER [JSON] LIBRARIES ...): one program of all *_test.cpp below tests/FOLDER.
function(gladius_test folder)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*_test.cpp)
  if(NOT sources)
    return()
  endif()
  gladius_test_program(${folder}_tests SOURCES ${sources} ${ARGN})
  gtest_discover_tests(${folder}_tests DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 600 LABELS ${folder})
endfunction()

# gladius_bench(FOLDER LIBRARIES ...): one program of all *_bench.cpp below bench/FOLDER.
function(gladius_bench folder)
  cmake_parse_arguments(ARG "" "" "LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*_bench.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${folder}_bench support/main.cpp ${sources})
  target_link_libraries(${folder}_bench PRIVATE ${ARG_LIBRARIES} gladius_bench_support fmt::fmt)
  gladius_target_options(${folder}_bench)
  gladius_unity(${folder}_bench)
endfunction()
