// CowPtr<T>: a counted pointer to a value that is copied before the first change where it is shared.
//
// std::shared_ptr cannot say safely that it is the only one: its use_count() orders nothing, so that another
// thread's last reads of a value might come after our first write to it.
//
// Threads: different CowPtrs may be used from different threads, also where they share a value; one CowPtr as
// an `int`.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace isolith::base {

template <typename T>
class CowPtr {
 public:
  CowPtr() noexcept = default;  // null: no value yet
  CowPtr(const CowPtr& other) noexcept : shared_(other.shared_) {
    if (shared_ != nullptr) shared_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  CowPtr(CowPtr&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
  CowPtr& operator=(CowPtr other) noexcept {
    std::swap(shared_, other.shared_);
    return *this;
  }
  ~CowPtr() {
    if (shared_ != nullptr && shared_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) delete shared_;
  }

  // Null or the value, to read.
  [[nodiscard]] const T* get() const noexcept { return shared_ == nullptr ? nullptr : &shared_->value; }

  // The value to change, owned by this pointer alone: made if there was none, copied if it was shared.
  T& own() {
    if (shared_ == nullptr) {
      shared_ = new Shared;
    } else if (shared_->owners.load(std::memory_order_acquire) != 1) {
      CowPtr copy;
      copy.shared_ = new Shared(*shared_);
      std::swap(shared_, copy.shared_);
    }
    return shared_->value;
  }

 private:
  struct Shared {
    Shared() = default;
    Shared(const Shared& other) : value(other.value) {}

    T value{};
    std::atomic<std::uint32_t> owners = 1;
  };

  Shared* shared_ = nullptr;
};

}  // namespace isolith::base
