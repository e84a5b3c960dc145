// What the benchmarks share.
#pragma once

#include <golem/golem.hpp>
#include <golem/http/counting.hpp>

#include <sys/resource.h>

#include <memory>
#include <string>

namespace benchmarks {

/// Processor time of this process so far.
inline double cpu_seconds()
{
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// An image that every provider of a devnet takes.
inline golem::Payload any_image()
{
    const std::string hash = "9a3b5d67b0b27746283cb5f287c13eab1beaa12d92a9f536b747c7ae";
    return golem::vm_image(hash, "http://registry.golem.network/download/" + hash);
}

/// `daemon`, with what is sent to it counted by `transport`, which is set when a manager begins to use it.
inline golem::Daemon counted(const golem::Daemon& daemon, std::shared_ptr<golem::http::CountingTransport>& transport)
{
    return golem::Daemon(
        daemon.url(), daemon.app_key(), [daemon, &transport](const golem::Executor& executor, golem::TimeSource& time) {
            transport = std::make_shared<golem::http::CountingTransport>(daemon.make_transport(executor, time), time);
            return transport;
        });
}

} // namespace benchmarks
