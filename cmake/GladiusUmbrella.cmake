# gladius::gladius: tensors to models, and gladius/gladius.h, which includes their public headers (but for
# the kernels, which tensors and operations call). The header is written here from the libraries' own
# lists, so that it leaves none out.
set(umbrella_libraries base tensor autograd nn optim gguf tokenizer chat_template language_model models)
set(umbrella_root ${PROJECT_BINARY_DIR}/include-roots/umbrella)
set(umbrella_includes "")
foreach(library IN LISTS umbrella_libraries)
  get_target_property(headers gladius_${library} HEADER_SET)
  get_target_property(root gladius_${library} HEADER_DIRS)
  list(FILTER headers EXCLUDE REGEX "/kernels/")
  foreach(header IN LISTS headers)
    cmake_path(RELATIVE_PATH header BASE_DIRECTORY ${root})
    string(APPEND umbrella_includes "#include \"${header}\"\n")
  endforeach()
endforeach()
file(CONFIGURE OUTPUT ${umbrella_root}/gladius/gladius.h @ONLY CONTENT
"// Tensors, autograd, layers, optimizers, models and tokenizers: for programs that want all of it.
// Written by cmake/GladiusUmbrella.cmake.
#pragma once

@umbrella_includes@")

add_library(gladius_gladius INTERFACE)
add_library(gladius::gladius ALIAS gladius_gladius)
set_target_properties(gladius_gladius PROPERTIES EXPORT_NAME gladius)
target_sources(gladius_gladius INTERFACE
  FILE_SET HEADERS BASE_DIRS ${umbrella_root} FILES ${umbrella_root}/gladius/gladius.h)
target_link_libraries(gladius_gladius INTERFACE gladius::models gladius::optim)
if(GLADIUS_INSTALL)
  install(TARGETS gladius_gladius EXPORT gladius-targets FILE_SET HEADERS)
endif()
