// What base/file.h promises, of the operating system's files and of the simulated disk in both of its modes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <thread>

#include "base/file.h"
#include "base/random.h"
#include "base/simulated_disk.h"
#include "tests/support/seed.h"

namespace isolith::base {
namespace {

enum class Kind { posix, simulated, simulated_untracked };

std::string read_all(File& file) {
  std::string bytes(file.size().value_or(0), '\0');
  EXPECT_EQ(file.read_at(0, bytes.data(), bytes.size()).value_or(0), bytes.size());
  return bytes;
}

class FileContractTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::posix) {
      root_ = ::testing::TempDir() + "isolith_file_XXXXXX";
      ASSERT_NE(mkdtemp(root_.data()), nullptr);
      files_ = &posix_file_system();
    } else {
      root_ = "root";
      disk_ = std::make_unique<SimulatedDisk>(GetParam() == Kind::simulated);
      files_ = disk_.get();
      ASSERT_TRUE(files_->create_directory(root_).ok());
    }
  }
  void TearDown() override {
    if (GetParam() == Kind::posix) std::filesystem::remove_all(root_);
  }

  [[nodiscard]] std::string path(const std::string& name) const { return root_ + "/" + name; }

  std::unique_ptr<File> open(const std::string& name, OpenMode mode = OpenMode::create) {
    auto file = files_->open(path(name), mode);
    EXPECT_TRUE(file.ok()) << file.status().to_string();
    return std::move(*file);
  }

  void put(const std::string& name, const std::string& bytes) {
    const auto file = open(name);
    EXPECT_TRUE(file->truncate(0).ok());
    EXPECT_TRUE(file->write_at(0, bytes.data(), bytes.size()).ok());
  }

  std::string get(const std::string& name) { return read_all(*open(name, OpenMode::read_only)); }

  std::unique_ptr<SimulatedDisk> disk_;
  FileSystem* files_ = nullptr;
  std::string root_;
};

TEST_P(FileContractTest, OpensByMode) {
  EXPECT_TRUE(files_->open(path("a"), OpenMode::read_only).status().is(StatusCode::not_found));
  EXPECT_TRUE(files_->open(path("a"), OpenMode::read_write).status().is(StatusCode::not_found));
  open("a", OpenMode::create_new);
  EXPECT_TRUE(files_->open(path("a"), OpenMode::create_new).status().is(StatusCode::already_exists));
  put("a", "kept");
  open("a", OpenMode::create);
  EXPECT_EQ(get("a"), "kept");
  EXPECT_TRUE(files_->open(path("none/a"), OpenMode::create).status().is(StatusCode::not_found));
  EXPECT_EQ(files_->open(path("a/b"), OpenMode::create).status().system_error(), ENOTDIR);
  EXPECT_EQ(files_->open(root_, OpenMode::read_only).status().system_error(), EISDIR);
}

TEST_P(FileContractTest, ReadsWhatWasWrittenAndStopsAtTheEnd) {
  const auto file = open("a");
  ASSERT_TRUE(file->write_at(0, "hello world", 11).ok());
  ASSERT_TRUE(file->write_at(6, "WORLD!", 6).ok());
  EXPECT_EQ(read_all(*file), "hello WORLD!");
  char buffer[8] = {};
  EXPECT_EQ(*file->read_at(10, buffer, 8), 2U);
  EXPECT_EQ(std::string(buffer, 2), "D!");
  EXPECT_EQ(*file->read_at(12, buffer, 8), 0U);
  EXPECT_EQ(*file->read_at(1'000'000, buffer, 8), 0U);
  EXPECT_EQ(*file->read_at(0, buffer, 0), 0U);
}

TEST_P(FileContractTest, GapsReadAsZeros) {
  const auto file = open("a");
  ASSERT_TRUE(file->write_at(0, "x", 1).ok());
  ASSERT_TRUE(file->write_at(3'000'000, "y", 1).ok());
  EXPECT_EQ(*file->size(), 3'000'001U);
  EXPECT_EQ(read_all(*file), "x" + std::string(2'999'999, '\0') + "y");
}

TEST_P(FileContractTest, AnEmptyWriteChangesNothing) {
  const auto file = open("a");
  ASSERT_TRUE(file->write_at(100, "", 0).ok());
  EXPECT_EQ(*file->size(), 0U);
}

TEST_P(FileContractTest, CutBytesDoNotComeBack) {
  const auto file = open("a");
  const std::string bytes(10'000, 'x');
  ASSERT_TRUE(file->write_at(0, bytes.data(), bytes.size()).ok());
  ASSERT_TRUE(file->truncate(5000).ok());
  EXPECT_EQ(*file->size(), 5000U);
  ASSERT_TRUE(file->truncate(10'000).ok());
  EXPECT_EQ(read_all(*file), std::string(5000, 'x') + std::string(5000, '\0'));
  ASSERT_TRUE(file->truncate(0).ok());
  ASSERT_TRUE(file->write_at(20, "z", 1).ok());
  EXPECT_EQ(read_all(*file), std::string(20, '\0') + "z");
}

TEST_P(FileContractTest, DiscardLeavesTheRestAndTheLength) {
  const auto file = open("a");
  const std::string bytes(64 * 1024, 'x');
  ASSERT_TRUE(file->write_at(0, bytes.data(), bytes.size()).ok());
  file->discard(16 * 1024, 16 * 1024);
  file->discard(1'000'000, 4096);
  file->discard(0, 0);
  const std::string left = read_all(*file);
  ASSERT_EQ(left.size(), bytes.size());
  EXPECT_EQ(left.substr(0, 16 * 1024), bytes.substr(0, 16 * 1024));
  EXPECT_EQ(left.substr(32 * 1024), bytes.substr(32 * 1024));
}

TEST_P(FileContractTest, SyncsFilesAndDirectories) {
  const auto file = open("a");
  ASSERT_TRUE(file->write_at(0, "x", 1).ok());
  EXPECT_TRUE(file->sync().ok());
  EXPECT_TRUE(files_->sync_directory(root_).ok());
  EXPECT_TRUE(files_->sync_directory(path("none")).is(StatusCode::not_found));
  EXPECT_EQ(files_->sync_directory(path("a")).system_error(), ENOTDIR);
}

TEST_P(FileContractTest, AReadOnlyFileCannotBeChanged) {
  put("a", "x");
  const auto file = open("a", OpenMode::read_only);
  EXPECT_EQ(file->write_at(0, "y", 1).system_error(), EBADF);
  EXPECT_TRUE(file->truncate(0).is(StatusCode::io_error));
  file->discard(0, 1);
  EXPECT_EQ(read_all(*file), "x");
  EXPECT_TRUE(file->sync().ok());
}

TEST_P(FileContractTest, RefusesOffsetsBeyondAnyFile) {
  const auto file = open("a");
  EXPECT_EQ(file->write_at(~std::uint64_t{0} - 1, "xyz", 3).system_error(), EFBIG);
  EXPECT_EQ(file->truncate(~std::uint64_t{0}).system_error(), EFBIG);
  EXPECT_EQ(*file->size(), 0U);
}

TEST_P(FileContractTest, RenamesOverWhatIsThere) {
  put("a", "new");
  put("b", "old");
  const auto old = open("b", OpenMode::read_only);
  ASSERT_TRUE(files_->rename(path("a"), path("b")).ok());
  EXPECT_EQ(get("b"), "new");
  EXPECT_EQ(*files_->list(root_), std::vector<std::string>{"b"});
  EXPECT_EQ(read_all(*old), "old");  // an open file outlives its name
  EXPECT_TRUE(files_->rename(path("a"), path("c")).is(StatusCode::not_found));
  ASSERT_TRUE(files_->rename(path("b"), path("b")).ok());
  EXPECT_EQ(get("b"), "new");
}

TEST_P(FileContractTest, RenamesDirectoriesAndAcrossThem) {
  ASSERT_TRUE(files_->create_directory(path("d")).ok());
  ASSERT_TRUE(files_->create_directory(path("e")).ok());
  put("a", "x");
  ASSERT_TRUE(files_->rename(path("a"), path("d/a")).ok());
  EXPECT_EQ(get("d/a"), "x");
  EXPECT_EQ(files_->rename(path("d"), path("d/inside")).system_error(), EINVAL);
  EXPECT_EQ(files_->rename(path("e"), path("d/a")).system_error(), ENOTDIR);
  EXPECT_EQ(files_->rename(path("d/a"), path("e")).system_error(), EISDIR);
  EXPECT_EQ(files_->rename(path("e"), path("d")).system_error(), ENOTEMPTY);
  ASSERT_TRUE(files_->rename(path("d"), path("e")).ok());
  EXPECT_EQ(get("e/a"), "x");
}

TEST_P(FileContractTest, RemovesFilesAndEmptyDirectories) {
  ASSERT_TRUE(files_->create_directory(path("d")).ok());
  put("d/a", "x");
  EXPECT_EQ(files_->remove(path("d")).system_error(), ENOTEMPTY);
  const auto file = open("d/a");
  ASSERT_TRUE(files_->remove(path("d/a")).ok());
  EXPECT_FALSE(*files_->exists(path("d/a")));
  EXPECT_TRUE(files_->remove(path("d/a")).is(StatusCode::not_found));
  ASSERT_TRUE(file->write_at(1, "y", 1).ok());
  EXPECT_EQ(read_all(*file), "xy");
  ASSERT_TRUE(files_->remove(path("d")).ok());
  EXPECT_TRUE(files_->list(path("d")).status().is(StatusCode::not_found));
}

TEST_P(FileContractTest, MakesListsAndFinds) {
  for (const char* name : {"b", "a", "c"}) put(name, name);
  ASSERT_TRUE(files_->create_directory(path("aa")).ok());
  ASSERT_TRUE(files_->create_directory(path("aa")).ok());
  EXPECT_EQ(files_->create_directory(path("a")).system_error(), EEXIST);
  EXPECT_TRUE(files_->create_directory(path("none/d")).is(StatusCode::not_found));
  EXPECT_EQ(*files_->list(root_), (std::vector<std::string>{"a", "aa", "b", "c"}));
  EXPECT_EQ(files_->list(path("a")).status().system_error(), ENOTDIR);
  EXPECT_TRUE(*files_->exists(path("a")));
  EXPECT_TRUE(*files_->exists(root_));
  EXPECT_TRUE(*files_->exists(root_ + "//./aa/../a"));
  EXPECT_FALSE(*files_->exists(path("x")));
  EXPECT_FALSE(*files_->exists(path("a/x")));
}

TEST_P(FileContractTest, FailuresNameCallPathAndErrno) {
  const Status status = files_->open(path("a"), OpenMode::read_only).status();
  EXPECT_EQ(status.to_string(), "not_found: open " + path("a") + ": No such file or directory (errno 2)");
  EXPECT_EQ(status.system_error(), ENOENT);
}

TEST_P(FileContractTest, TheLockIsOne) {
  const std::string pid = std::to_string(::getpid());
  put("lock", "something much longer than a process id");
  auto first = files_->lock(path("lock"));
  ASSERT_TRUE(first.ok()) << first.status().to_string();
  EXPECT_EQ(get("lock"), pid);
  const Status refused = files_->lock(path("lock")).status();
  EXPECT_EQ(refused.to_string(), "busy: " + path("lock") + " is locked by process " + pid);
  EXPECT_EQ(get("lock"), pid);
  EXPECT_TRUE(files_->lock(path("other")).ok());
  first->reset();
  EXPECT_TRUE(files_->lock(path("lock")).ok());
  EXPECT_TRUE(files_->lock(path("lock")).ok());
}

TEST_P(FileContractTest, OfThreadsThatWantTheLockOneGetsIt) {
  for (int round = 0; round < 20; ++round) {
    std::vector<Result<std::unique_ptr<File>>> results;
    for (int i = 0; i < 4; ++i) results.emplace_back(Status(StatusCode::internal));
    std::vector<std::thread> threads;
    for (auto& result : results) threads.emplace_back([&] { result = files_->lock(path("lock")); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(std::count_if(results.begin(), results.end(), [](const auto& r) { return r.ok(); }), 1);
    for (const auto& result : results) EXPECT_TRUE(result.ok() || result.status().is(StatusCode::busy));
  }
}

TEST_P(FileContractTest, RandomCallsAgreeWithAString) {
  const std::uint64_t seed = testing::test_seed();
  SCOPED_TRACE(seed);
  Random random(seed);
  const auto file = open("a");
  std::string model;
  for (int step = 0; step < 2000; ++step) {
    const std::size_t offset = random.below(30'000);
    if (random.chance(1, 20)) {
      ASSERT_TRUE(file->truncate(offset).ok());
      model.resize(offset, '\0');
    } else if (random.chance(1, 2)) {
      const std::string bytes(1 + random.below(9000), static_cast<char>('a' + random.below(26)));
      ASSERT_TRUE(file->write_at(offset, bytes.data(), bytes.size()).ok());
      model.resize(std::max(model.size(), offset + bytes.size()), '\0');
      model.replace(offset, bytes.size(), bytes);
    } else {
      std::string bytes(random.below(9000), '?');
      const std::size_t expected = offset >= model.size() ? 0 : std::min(bytes.size(), model.size() - offset);
      ASSERT_EQ(*file->read_at(offset, bytes.data(), bytes.size()), expected);
      ASSERT_TRUE(model.compare(std::min(offset, model.size()), expected, bytes, 0, expected) == 0) << step;
    }
  }
  ASSERT_EQ(read_all(*file), model);
}

TEST_P(FileContractTest, ThreadsUseOneFileAtOnce) {
  const auto file = open("a");
  std::vector<std::thread> threads;
  for (std::size_t mine = 0; mine < 4; ++mine) {
    threads.emplace_back([&, mine] {
      const std::string bytes(512, static_cast<char>('a' + mine));
      std::string back(512, '\0');
      for (std::size_t i = 0; i < 200; ++i) {
        const std::uint64_t offset = (i * 4 + mine) * 512;
        EXPECT_TRUE(file->write_at(offset, bytes.data(), bytes.size()).ok());
        EXPECT_EQ(file->read_at(offset, back.data(), back.size()).value_or(0), 512U);
        EXPECT_EQ(back, bytes);
        if (i % 50 == 0) {
          EXPECT_TRUE(file->sync().ok());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(*file->size(), 4U * 200 * 512);
}

INSTANTIATE_TEST_SUITE_P(All, FileContractTest,
                         ::testing::Values(Kind::posix, Kind::simulated, Kind::simulated_untracked),
                         [](const auto& parameter) {
                           switch (parameter.param) {
                             case Kind::posix:
                               return "posix";
                             case Kind::simulated:
                               return "simulated";
                             default:
                               return "simulated_untracked";
                           }
                         });

}  // namespace
}  // namespace isolith::base
