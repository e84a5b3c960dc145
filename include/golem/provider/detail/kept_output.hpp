#pragma once

#include <golem/provider/script.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace golem::provider::detail {

// Takes an output as it comes and keeps the part that is wanted of it.
class KeptOutput {
public:
    explicit KeptOutput(const OutputPart& part) : part_(part) {}

    void append(std::string_view bytes)
    {
        const auto room = part_.head - head_.size();
        head_.append(bytes.substr(0, room));
        bytes.remove_prefix(std::min(room, bytes.size()));
        if (part_.tail == 0)
            return;
        bytes.remove_prefix(bytes.size() - std::min(bytes.size(), part_.tail));
        tail_.append(bytes);
        // Not each time: a byte is moved once at most.
        if (tail_.size() / 2 >= part_.tail)
            trim();
    }

    // The beginning and the end; what lay between them is gone without a trace.
    std::string take()
    {
        trim();
        head_ += std::exchange(tail_, std::string());
        return std::exchange(head_, std::string());
    }

private:
    void trim() { tail_.erase(0, tail_.size() - std::min(tail_.size(), part_.tail)); }

    OutputPart part_;
    std::string head_;
    std::string tail_;
};

} // namespace golem::provider::detail
