// Serves one file to the provider, or takes one from it, by the bus.
#pragma once

#include "file_ends.hpp"

#include <golem/yagna/gsb.hpp>

#include <exception>
#include <string>
#include <vector>

namespace golem::detail {

class FileService {
public:
    explicit FileService(SendingEnd& end) : sending_(&end) {}
    explicit FileService(ReceivingEnd& end) : receiving_(&end) {}

    std::vector<std::string> components() const;

    // Answers until the daemon closes; a failure of our own file is answered, too, and ends the command there.
    Task<> serve(yagna::GsbSocket& socket);

    // Why our end cannot go on; null if it can.
    const std::exception_ptr& failure() const noexcept { return failure_; }

private:
    Task<flex::Value> answer_to(const yagna::GsbCall& call);

    SendingEnd* sending_ = nullptr;
    ReceivingEnd* receiving_ = nullptr;
    std::exception_ptr failure_;
};

} // namespace golem::detail
