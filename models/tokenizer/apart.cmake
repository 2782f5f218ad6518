# Sources that are compiled alone: in these, Json or tokenizer_json is something else than in the rest
# of the folder, or a class of a header has members of types of its own source.
set(gladius_tokenizer_apart
  regex.cpp tokenizer.cpp tokenizer_config.cpp tokenizer_layout.cpp tokenizer_trainer.cpp)
