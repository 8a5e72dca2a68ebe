// The text of a trace.
#include "anomalies/trace.h"

#include <string_view>

namespace isolith::anomalies {
namespace {

constexpr std::size_t kKeyBytesShown = 64;

std::string_view describe(EventKind kind) {
  switch (kind) {
    case EventKind::done:
      return "done";
    case EventKind::blocked:
      return "blocked";
    case EventKind::resumed:
      return "resumed";
    case EventKind::timed_out:
      return "timed out";
    case EventKind::deferred:
      return "deferred";
    case EventKind::not_blocked:
      return "is not blocked";
    case EventKind::stuck:
      return "stuck";
  }
  return "unknown";
}

// Bytes that do not print as \xHH.
void append_key(std::string& text, std::string_view key) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : key.substr(0, kKeyBytesShown)) {
    if (c >= ' ' && c <= '~') {
      text += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      text.append("\\x").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    }
  }
  if (key.size() > kKeyBytesShown) text += "...";
}

void append_event(std::string& text, const Event& event, const Program& program) {
  const Session& session = program.sessions[event.session];
  if (event.step == 0) {
    text += session.name;
  } else {
    append_step(text, session, event.step);
  }
  text.append(1, ' ').append(describe(event.kind));
  if (event.kind != EventKind::blocked && event.kind != EventKind::stuck) return;
  text += ": waits for ";
  if (!event.holder_sessions.empty()) {
    text += holder_names(event, program.sessions);
  } else if (event.holder != 0) {
    text.append(1, 'T').append(std::to_string(event.holder));
  } else {
    text += "another transaction";
  }
  if (event.table.empty() && event.key.empty()) return;
  text.append(" at ").append(event.table).append(1, '/');
  append_key(text, event.key);
}

}  // namespace

std::string to_string(const Event& event, const Program& program) {
  std::string text;
  append_event(text, event, program);
  return text;
}

std::string to_string(const Trace& trace, const Program& program) {
  std::string text;
  for (const Event& event : trace.events) {
    append_event(text, event, program);
    text += '\n';
  }
  return text;
}

}  // namespace isolith::anomalies
