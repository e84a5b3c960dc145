// Which bytes of a file have come, whatever their order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <string_view>

namespace golem::detail {

class ReceivedRanges {
public:
    /// Bytes may come twice.
    void add(std::uint64_t offset, std::uint64_t size)
    {
        if (size == 0)
            return;
        auto begin = offset;
        auto end = offset + size;
        auto next = ranges_.upper_bound(begin);
        if (next != ranges_.begin()) {
            const auto before = std::prev(next);
            if (before->second >= begin) {
                begin = before->first;
                end = end > before->second ? end : before->second;
                next = ranges_.erase(before);
            }
        }
        while (next != ranges_.end() && next->first <= end) {
            end = end > next->second ? end : next->second;
            next = ranges_.erase(next);
        }
        ranges_.emplace(begin, end);
    }

    /// How many bytes from the beginning on are there without a gap.
    std::uint64_t contiguous() const noexcept
    {
        return ranges_.empty() || ranges_.begin()->first != 0 ? 0 : ranges_.begin()->second;
    }

    /// Where the last byte ends.
    std::uint64_t end() const noexcept { return ranges_.empty() ? 0 : std::prev(ranges_.end())->second; }
    bool is_whole() const noexcept { return contiguous() == end(); }
    std::size_t pieces() const noexcept { return ranges_.size(); }

private:
    std::map<std::uint64_t, std::uint64_t> ranges_; // Begin and end; neither overlap nor touch.
};

/// Why a name that a machine told cannot stand below a directory of ours; null if it can: "a/b" can, "../a" cannot.
const char* told_name_problem(std::string_view name) noexcept;

/// Why a path cannot name a file in a machine; null if it can.
const char* machine_path_problem(const std::string& path) noexcept;

} // namespace golem::detail
