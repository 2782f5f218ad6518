#include "gladius/tensor/base/foreign_file.h"

namespace gladius {
namespace {

using namespace std::string_view_literals;

struct Format {
  std::string_view magic;
  const char* advice;
};

constexpr Format kFormats[] = {
    {"version https://git-lfs"sv,
     "a git-lfs pointer, not the file itself; fetch it with \"git lfs pull\" in its repository"},
    {"GGUF"sv, "a GGUF file; name the file itself where a model is expected"},
    {"PK\x03\x04"sv, "a zip file, such as PyTorch's; convert it to safetensors with transformers"},
    {"\x80\x02"sv, "a pickle, such as PyTorch's; convert it to safetensors with transformers"},
    {"\x89HDF"sv, "an HDF5 file; convert it to safetensors with transformers"},
    {"<!DOCTYPE"sv, "a web page; download the file itself"},
    {"<!doctype"sv, "a web page; download the file itself"},
    {"<html"sv, "a web page; download the file itself"},
};

}  // namespace

std::string foreign_format(std::string_view head) {
  for (const auto& [magic, advice] : kFormats) {
    if (head.starts_with(magic)) return advice;
  }
  return "";
}

}  // namespace gladius
