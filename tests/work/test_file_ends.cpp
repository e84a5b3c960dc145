// Our end of transfers: order, gaps, limits, and what becomes of half a file.
#include <golem/core/error.hpp>
#include <golem/work/detail/received_ranges.hpp>
#include <work/file_ends.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/folder.hpp>
#include <tests/support/run_task.hpp>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>

using namespace golem;
using namespace golem::detail;
namespace fs = std::filesystem;

namespace {

using golem::test::content_of;
using golem::test::Folder;

std::string hash_of(const std::string& text)
{
    Sha3 sha3;
    sha3.add(text);
    return sha3.hex();
}

std::string numbered(std::size_t size)
{
    std::string text(size, '\0');
    for (std::size_t n = 0; n < size; ++n)
        text[n] = static_cast<char>(n * 31 + n / 251);
    return text;
}

std::optional<TransferError::Kind> finish(ReceivingEnd& end, const std::string& hash)
{
    std::optional<TransferError::Kind> kind;
    golem::test::run_real([&]() -> Task<> {
        try {
            co_await end.finish(hash);
        } catch (const TransferError& error) {
            kind = error.kind();
        }
    });
    return kind;
}

template <typename Function>
std::optional<TransferError::Kind> failure_of(Function function)
{
    try {
        function();
    } catch (const TransferError& error) {
        return error.kind();
    }
    return std::nullopt;
}

} // namespace

TEST_CASE("ranges of a file join, in any order and over each other")
{
    struct Row {
        std::vector<std::pair<std::uint64_t, std::uint64_t>> pieces;
        std::uint64_t contiguous;
        std::uint64_t end;
        std::size_t count;
    };
    const Row rows[] = {
        {{}, 0, 0, 0},
        {{{0, 0}}, 0, 0, 0},
        {{{0, 10}, {10, 10}}, 20, 20, 1},
        {{{10, 10}, {0, 10}}, 20, 20, 1},
        {{{0, 10}, {20, 10}}, 10, 30, 2},
        {{{5, 5}}, 0, 10, 1},
        {{{0, 10}, {20, 10}, {10, 10}}, 30, 30, 1},
        {{{0, 10}, {0, 10}}, 10, 10, 1},
        {{{0, 10}, {2, 3}}, 10, 10, 1},
        {{{2, 3}, {0, 10}}, 10, 10, 1},
        {{{4, 4}, {12, 4}, {20, 4}, {0, 30}}, 30, 30, 1},
        {{{4, 4}, {12, 4}, {6, 8}}, 0, 16, 1},
    };
    for (const auto& row : rows) {
        ReceivedRanges ranges;
        for (const auto& [offset, size] : row.pieces)
            ranges.add(offset, size);
        CHECK(ranges.contiguous() == row.contiguous);
        CHECK(ranges.end() == row.end);
        CHECK(ranges.pieces() == row.count);
        CHECK(ranges.is_whole() == (row.contiguous == row.end));
    }
}

TEST_CASE("paths in a machine")
{
    for (const auto* good : {"/golem/work/a", "/a", "/golem/work/a..b", "/golem/.../x", "/ä b"})
        CHECK(machine_path_problem(good) == nullptr);
    for (const auto* bad :
         {"", "a", "golem/work/a", "../a", "/golem/work/../../etc/passwd", "/..", "/a/..", "/golem/work/"})
        CHECK(machine_path_problem(bad) != nullptr);
    CHECK(machine_path_problem(std::string("/a\0b", 4)) != nullptr);
}

TEST_CASE("a file comes in any order, and appears when it is whole")
{
    const auto text = numbered(1'000'003);
    std::vector<std::size_t> offsets;
    for (std::size_t at = 0; at < text.size(); at += 40960)
        offsets.push_back(at);
    for (const int order : {0, 1, 2}) {
        Folder folder;
        const auto target = folder.path / "file";
        if (order == 1)
            std::reverse(offsets.begin(), offsets.end());
        if (order == 2)
            std::shuffle(offsets.begin(), offsets.end(), std::minstd_rand(7));
        ReceivedFile file(target, "tag", 1u << 30, "test");
        for (const auto at : offsets) {
            file.write(at, text.substr(at, 40960));
            if (at % 3 == 0)
                file.write(at, text.substr(at, 40960)); // Sent again.
        }
        CHECK(!fs::exists(target));
        CHECK(finish(file, hash_of(text)) == std::nullopt);
        CHECK(file.is_finished());
        CHECK(!fs::exists(target));
        file.commit();
        CHECK(content_of(target) == text);
        CHECK(folder.count() == 1);
    }
}

TEST_CASE("what a chunk replaced counts, not what it was")
{
    Folder folder;
    ReceivedFile file(folder.path / "file", "tag", 1000, "test");
    file.write(0, "wrong");
    file.write(5, "-end");
    file.write(0, "right");
    CHECK(finish(file, hash_of("right-end")) == std::nullopt);
}

TEST_CASE("half a file leaves nothing, and the file that was there as it was")
{
    struct Row {
        std::uint64_t offset;
        std::string hash;
        std::optional<TransferError::Kind> kind;
    };
    const Row rows[] = {
        {5, hash_of("12345"), TransferError::Kind::incomplete},
        {0, hash_of("other"), TransferError::Kind::corrupted},
        {0, "", TransferError::Kind::corrupted},
        {0, hash_of("12345"), std::nullopt},
    };
    for (const auto& row : rows) {
        Folder folder;
        const auto target = folder.path / "file";
        std::ofstream(target) << "old";
        {
            ReceivedFile file(target, "tag", 1000, "test");
            file.write(row.offset, "12345");
            CHECK(folder.count() == 2);
            CHECK(finish(file, row.hash) == row.kind);
        }
        CHECK(folder.count() == 1);
        CHECK(content_of(target) == "old");
    }
}

TEST_CASE("more than is allowed is refused before it is written")
{
    ReceivedBytes bytes(100, "test");
    CHECK(failure_of([&] { bytes.write(0, std::string(100, 'x')); }) == std::nullopt);
    CHECK(failure_of([&] { bytes.write(100, "x"); }) == TransferError::Kind::too_large);
    CHECK(failure_of([&] { bytes.write(std::uint64_t(1) << 63, "x"); }) == TransferError::Kind::too_large);
    CHECK(finish(bytes, hash_of(std::string(100, 'x'))) == std::nullopt);
    CHECK(failure_of([&] { bytes.write(0, "x"); }) == TransferError::Kind::incomplete);
    CHECK(bytes.take() == std::string(100, 'x'));
}

TEST_CASE("an empty file is one")
{
    Folder folder;
    ReceivedFile file(folder.path / "file", "tag", 1000, "test");
    CHECK(finish(file, hash_of("")) == std::nullopt);
    file.commit();
    CHECK(fs::file_size(folder.path / "file") == 0);
}

TEST_CASE("files of ours that cannot be used say why")
{
    Folder folder;
    const auto open = [](const fs::path& path) { make_sending_end(path, "test"); };
    const auto receive = [](const fs::path& path) { ReceivedFile file(path, "tag", 10, "test"); };
    CHECK(failure_of([&] { open(folder.path / "missing"); }) == TransferError::Kind::local_file);
    CHECK(failure_of([&] { open(folder.path); }) == TransferError::Kind::local_file);
    CHECK(failure_of([&] { open("/dev/null"); }) == TransferError::Kind::local_file);
    CHECK(failure_of([&] { receive(folder.path); }) == TransferError::Kind::local_file);
    CHECK(failure_of([&] { receive(folder.path / "no" / "folder"); }) == TransferError::Kind::local_file);
    CHECK(folder.count() == 0);
    // The longest name that a file may have.
    ReceivedFile longest(folder.path / std::string(255, 'x'), "tag", 10, "test");
    CHECK(finish(longest, hash_of("")) == std::nullopt);
    longest.commit();
    CHECK(folder.count() == 1);
}

TEST_CASE("a file that becomes shorter while it is sent is noticed")
{
    Folder folder;
    const auto path = folder.path / "file";
    std::ofstream(path) << std::string(1000, 'x');
    const auto end = make_sending_end(path, "test");
    CHECK(end->size() == 1000);
    CHECK(end->read(990, 100) == std::string(10, 'x'));
    CHECK(end->read(5000, 100).empty());
    fs::resize_file(path, 500);
    CHECK(failure_of([&] { end->read(400, 200); }) == TransferError::Kind::local_file);
}

TEST_CASE("no room is told as such, and half a file goes")
{
    Folder folder;
    // The size that this process may give to files stands for the size of a disk.
    struct rlimit before = {};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto old = std::signal(SIGXFSZ, SIG_IGN);
    auto limit = before;
    limit.rlim_cur = 100'000;
    std::optional<TransferError::Kind> kind;
    {
        ReceivedFile file(folder.path / "file", "tag", 1u << 30, "test");
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
        kind = failure_of([&] {
            for (std::uint64_t at = 0; at < 200'000; at += 40'000)
                file.write(at, std::string(40'000, 'x'));
        });
        ::setrlimit(RLIMIT_FSIZE, &before);
    }
    std::signal(SIGXFSZ, old);
    CHECK(kind == TransferError::Kind::no_space);
    CHECK(folder.count() == 0);
}
