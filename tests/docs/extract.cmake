# cmake -D PAGE=x.md -D NAME=x -D ROOT=the repository -D OUTPUT=x.cpp -P extract.cmake
#
# Turns the ```cpp blocks of a page into one source file, in their order: a block is the body of a
# test named by its line, a block marked ```cpp definitions stands outside of functions (includes,
# classes) and serves those after it. Errors point into the page. A block marked ```cpp examples/x.cpp
# is that file, to the letter, so that `./run examples` runs what the page shows.

# Leaves the first `count` characters of `rest` behind; `line` is the number of its first line.
macro(skip count)
  string(SUBSTRING "${rest}" 0 ${count} passed)
  string(SUBSTRING "${rest}" ${count} -1 rest)
  string(REGEX MATCHALL "\n" newlines "${passed}")
  list(LENGTH newlines newlines)
  math(EXPR line "${line} + ${newlines}")
endmacro()

file(READ ${PAGE} rest)
string(PREPEND rest "\n")
set(line 0)
string(CONCAT code
  "// From ${PAGE}.\n"
  "#include <gmock/gmock.h>\n"
  "#include <gtest/gtest.h>\n"
  "#include \"support/message_of.h\"\n"
  "using ::testing::ElementsAre;\n"
  "using gladius::testing::message_of;\n")
while(TRUE)
  string(FIND "${rest}" "\n```cpp" begin)
  if(begin EQUAL -1)
    break()
  endif()
  math(EXPR begin "${begin} + 1")
  skip(${begin})
  string(FIND "${rest}" "\n" end)
  string(SUBSTRING "${rest}" 0 ${end} fence)
  skip(${end})
  string(FIND "${rest}" "\n```" end)
  if(end EQUAL -1)
    message(FATAL_ERROR "${PAGE}:${line}: the block has no end")
  endif()
  string(SUBSTRING "${rest}" 0 ${end} block)
  if(fence STREQUAL "```cpp definitions")
    string(APPEND code "#line ${line} \"${PAGE}\"\n${block}\n")
  elseif(fence STREQUAL "```cpp")
    string(APPEND code "TEST(${NAME}, line_${line}) {\n#line ${line} \"${PAGE}\"\n${block}\n}\n")
  elseif(fence MATCHES "^```cpp (examples/[a-z_/]+\\.cpp)$")
    file(READ ${ROOT}/${CMAKE_MATCH_1} program)
    if(NOT "${block}\n" STREQUAL "\n${program}")
      message(FATAL_ERROR "${PAGE}:${line}: the block is not ${CMAKE_MATCH_1}")
    endif()
  else()
    message(FATAL_ERROR "${PAGE}:${line}: \"${fence}\" is neither ```cpp, ```cpp definitions nor "
      "```cpp examples/x.cpp")
  endif()
  math(EXPR end "${end} + 4")
  skip(${end})
endwhile()
file(WRITE ${OUTPUT} "${code}")
