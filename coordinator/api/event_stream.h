#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "coordinator/api/token_book.h"
#include "coordinator/front_door/stream_source.h"
#include "coordinator/store/store.h"

namespace firebreak::coordinator {

/// An event in the shape of openapi.json's Event; its text is escaped here, where it is shown.
nlohmann::json event_json(const EventRow& row);

/// Events as they are stored, after where the client stands. Ends when the token ends.
class EventStream final : public StreamSource {
 public:
  EventStream(Store& store, const TokenBook& tokens, std::string token_id, EventQuery want)
      : store_(store), tokens_(tokens), token_id_(std::move(token_id)), want_(std::move(want)) {
    want_.limit = 50;
  }
  StreamChunk next() override;

 private:
  Store& store_;
  const TokenBook& tokens_;
  const std::string token_id_;
  EventQuery want_;
};

}  // namespace firebreak::coordinator
