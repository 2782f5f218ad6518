// The ids of a text, and the text that they stand for:
//   tokens configs/default/tokenizer "What is the weather in Oslo?"
#include <cstdio>
#include <exception>

#include "gladius/models/tokenizer/tokenizer.h"

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::fprintf(stderr, "usage: tokens TOKENIZER_DIRECTORY TEXT\n");
    return 2;
  }
  const auto tokenizer = gladius::text::Tokenizer::load(argv[1]);
  const std::vector<std::int32_t> ids = tokenizer.encode(argv[2]);
  for (const std::int32_t id : ids) std::printf("%d ", id);
  std::printf("\n%s\n", tokenizer.decode(ids).c_str());
} catch (const std::exception& error) {
  std::fprintf(stderr, "tokens: %s\n", error.what());
  return 1;
}
