// What this library adds to the daemon's own answer times between create_service() and `running`.
//
//   start_latency [ROUNDS]     the daemon of YAGNA_APPKEY / YAGNA_API_URL / YAGNA_SUBNET, else an embedded devnet
//
// The daemon's share is the time during which at least one request of the path waited for its answer; the event feed
// counts up to the approval it tells of.

#include "measuring.hpp"

#include <golem/devnet/devnet.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

class Idle : public golem::Service {
public:
    golem::Payload payload() const override { return benchmarks::any_image(); }
};

struct Interval {
    std::string what;
    golem::Instant from;
    golem::Instant to;
};

golem::Duration united(std::vector<Interval> intervals)
{
    std::sort(intervals.begin(), intervals.end(), [](const auto& a, const auto& b) { return a.from < b.from; });
    golem::Duration sum{0};
    auto covered = golem::Instant::min();
    for (const auto& interval : intervals) {
        if (interval.to > covered) {
            sum += interval.to - std::max(interval.from, covered);
            covered = interval.to;
        }
    }
    return sum;
}

double ms(golem::Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

double one_round(const golem::Daemon& daemon)
{
    auto intervals = std::make_shared<std::vector<Interval>>();
    golem::ServiceManagerOptions options;
    options.daemon.emplace(
        daemon.url(), daemon.app_key(), [daemon, intervals](const golem::Executor& executor, golem::TimeSource& time) {
            auto observer = [intervals](const golem::http::Exchange& exchange) {
                intervals->push_back(
                    {std::string(to_string(exchange.request.method())) + " " + exchange.request.target().substr(0, 60),
                     exchange.started, exchange.finished});
            };
            return std::make_shared<golem::http::CountingTransport>(
                daemon.make_transport(executor, time), time, observer);
        });
    golem::ServiceManager manager(options);
    const auto start = manager.time().now();
    auto service = manager.create_service<Idle>();
    golem::wait(manager, service->wait_for(golem::ServiceStatus::running));
    const auto total = manager.time().now() - start;
    // What has been answered by now is the path: polls that still wait are not among it.
    auto path = *intervals;
    golem::wait(manager, manager.close());
    const auto theirs = united(path);
    std::printf(
        "running after %.1f ms; the daemon's answers took %.1f ms; ratio %.3f\n", ms(total), ms(theirs),
        ms(total) / ms(theirs));
    for (const auto& interval : path)
        std::printf(
            "  %8.1f .. %8.1f  %s\n", ms(interval.from - start), ms(interval.to - start), interval.what.c_str());
    return ms(total) / ms(theirs);
}

} // namespace

int main(int argc, char** argv)
{
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 3;
    const auto daemon = golem::devnet::daemon_or_devnet();
    std::vector<double> ratios;
    for (int i = 0; i < rounds; ++i)
        ratios.push_back(one_round(daemon));
    std::sort(ratios.begin(), ratios.end());
    std::printf("median ratio %.3f\n", ratios[ratios.size() / 2]);
}
