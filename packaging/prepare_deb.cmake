# Run by CPack on what is installed, before it is packed: what Debian's policy asks of a package.
find_program(GZIP gzip REQUIRED)
find_program(STRIP strip REQUIRED)
set(here ${CMAKE_CURRENT_LIST_DIR})

# As small as can be, without the time in it.
function(compress)
  execute_process(COMMAND ${GZIP} -9nf ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

function(add_documents root package)
  set(docs ${root}/usr/share/doc/${package})
  file(MAKE_DIRECTORY ${docs})
  file(COPY_FILE ${here}/copyright ${docs}/copyright)
  string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)  # SOURCE_DATE_EPOCH's, if that is set
  file(WRITE ${docs}/changelog.Debian
"gladius (${CPACK_DEBIAN_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium

  * Built from the sources; changelog.gz says what has changed in them.

 -- ${CPACK_DEBIAN_PACKAGE_MAINTAINER}  ${date}
")
  file(COPY_FILE ${here}/../CHANGELOG.md ${docs}/changelog)
  compress(${docs}/changelog.Debian ${docs}/changelog)
  if(EXISTS ${here}/${package}.lintian-overrides)
    set(overrides ${root}/usr/share/lintian/overrides)
    file(MAKE_DIRECTORY ${overrides})
    file(COPY_FILE ${here}/${package}.lintian-overrides ${overrides}/${package})
  endif()
endfunction()

set(program ${CPACK_TEMPORARY_DIRECTORY}/program)
add_documents(${program} gladius)
file(REMOVE ${program}/usr/share/doc/gladius/CHANGELOG.md)
file(GLOB pages ${program}/usr/share/man/man1/*.1)
compress(${pages})
file(RENAME ${program}/usr/share/zsh/site-functions ${program}/usr/share/zsh/vendor-completions)

set(development ${CPACK_TEMPORARY_DIRECTORY}/development)
add_documents(${development} libgladius-dev)
file(GLOB_RECURSE libraries ${development}/usr/*.a)
execute_process(
  COMMAND ${STRIP} --strip-debug --enable-deterministic-archives
    --remove-section=.comment --remove-section=.note ${libraries}
  COMMAND_ERROR_IS_FATAL ANY)
