# What `cmake --install` leaves of the program: itself, its manual pages, what completes its command
# lines, the default run's files, and the documentation that its help names.

# Debian's directory of OpenBLAS's OpenMP build: found without it would be the build that whoever
# administers the machine prefers.
set_target_properties(gladius PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
if(GLADIUS_PORTABLE)
  # The libraries beside it are found by it and by each other: RUNPATH would not hold for those.
  file(RELATIVE_PATH to_libraries /${CMAKE_INSTALL_BINDIR} /lib/gladius)
  set_target_properties(gladius PROPERTIES
    INSTALL_RPATH_USE_LINK_PATH OFF INSTALL_RPATH "$ORIGIN/${to_libraries}")
  target_link_options(gladius PRIVATE -Wl,--disable-new-dtags)
  install(TARGETS gladius RUNTIME_DEPENDENCY_SET gladius_libraries COMPONENT program)
  # All but glibc's own.
  install(RUNTIME_DEPENDENCY_SET gladius_libraries
    PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|rt|pthread|resolv)\\.so"
    DESTINATION lib/gladius COMPONENT program)
  install(SCRIPT ${PROJECT_SOURCE_DIR}/packaging/install_licences.cmake COMPONENT program)
else()
  install(TARGETS gladius COMPONENT program)
endif()

install(FILES ${PROJECT_SOURCE_DIR}/configs/gladius-125m.json
  DESTINATION ${CMAKE_INSTALL_DATADIR}/gladius/configs COMPONENT program)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/configs/default
  DESTINATION ${CMAKE_INSTALL_DATADIR}/gladius/configs COMPONENT program
  PATTERN "*.py" EXCLUDE PATTERN chat_sources EXCLUDE PATTERN README.md EXCLUDE)
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program
  FILES_MATCHING PATTERN "*.md" PATTERN benchmarks EXCLUDE)

# The program writes them itself, wherever it can be run.
if(GLADIUS_SANITIZE OR (CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR))
  return()
endif()
set(pages ${CMAKE_CURRENT_BINARY_DIR}/pages)
file(MAKE_DIRECTORY ${pages})
add_custom_command(TARGET gladius POST_BUILD
  COMMAND gladius manual --out ${pages}/man1
  COMMAND gladius completion bash > ${pages}/gladius
  COMMAND gladius completion zsh > ${pages}/_gladius
  VERBATIM)
install(DIRECTORY ${pages}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT program)
install(FILES ${pages}/gladius
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT program)
install(FILES ${pages}/_gladius
  DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT program)
