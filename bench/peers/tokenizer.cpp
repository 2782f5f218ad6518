// Our side of tokenizer.py: TOKENIZER FILE to JSON with the seconds of each way on one thread.
#include "gladius/models/tokenizer/tokenizer.h"

#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gladius/tensor/base/error.h"

namespace {

template <class Work>
double seconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<std::string> read_lines(const char* file) {
  std::ifstream in(file, std::ios::binary);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line, '\0');) lines.push_back(line);
  return lines;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: tokenizer_peer TOKENIZER FILE  (texts separated by zero bytes)\n";
    return 2;
  }
  try {
    const std::vector<std::string> texts = read_lines(argv[2]);
    std::vector<std::vector<std::int32_t>> ids(texts.size());
    std::size_t count = 0;
    nlohmann::json out;
    std::unique_ptr<gladius::text::Tokenizer> tokenizer;
    out["load"] = seconds([&] {
      tokenizer =
          std::make_unique<gladius::text::Tokenizer>(gladius::text::Tokenizer::load(argv[1]));
    });
    tokenizer->encode("Both sides have encoded and decoded a text before.");
    out["encode"] = seconds([&] {
      for (std::size_t i = 0; i < texts.size(); ++i) ids[i] = tokenizer->encode(texts[i]);
    });
    out["encode_with_spans"] = seconds([&] {
      for (const std::string& text : texts) count += tokenizer->encode_with_spans(text).ids.size();
    });
    std::size_t bytes = 0;
    out["decode"] = seconds([&] {
      for (const auto& text : ids) bytes += tokenizer->decode(text).size();
    });
    out["tokens"] = count;
    out["bytes"] = bytes;
    std::cout << out << '\n';
  } catch (const gladius::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
