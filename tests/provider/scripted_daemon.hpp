// A daemon's REST interface for a port under test: answers by script, and writes down what was asked.
#pragma once

#include <golem/http/transport.hpp>

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace golem::provider::test {

// One answer, or the failure to get one.
using Step = std::function<http::Response()>;

inline Step says(unsigned status, std::string body = "null")
{
    return [status, body = std::move(body)] { return http::Response(status, body); };
}

inline Step is_away(http::TransportError::Sent sent = http::TransportError::Sent::no)
{
    return [sent]() -> http::Response {
        throw http::TransportError(Errc::unreachable, "call", "nothing listens there", sent);
    };
}

class ScriptedDaemon final : public http::Transport {
public:
    // For requests whose method and target begin with `route`; the last step is for all that follow.
    void on(const std::string& route, std::vector<Step> steps)
    {
        routes_[route] = std::deque<Step>(steps.begin(), steps.end());
    }

    Task<http::Response> send(const http::Request& request) override
    {
        auto line = std::string(http::to_string(request.method())) + " " + request.target();
        auto found = routes_.end();
        for (auto route = routes_.begin(); route != routes_.end(); ++route) {
            const bool is_longer = found == routes_.end() || route->first.size() > found->first.size();
            if (line.rfind(route->first, 0) == 0 && is_longer)
                found = route;
        }
        authorization = std::string(request.headers().get("Authorization").value_or(""));
        if (!request.body().empty())
            line += " " + request.body();
        log_.push_back(line);
        if (found == routes_.end())
            co_return http::Response(404, "{\"message\":\"no script for " + line + "\"}");
        const auto step = found->second.front();
        if (found->second.size() > 1)
            found->second.pop_front();
        if (before_answer)
            co_await before_answer();
        co_return step();
    }

    void close() noexcept override {}
    const std::string& origin() const noexcept override { return origin_; }

    const std::vector<std::string>& log() const noexcept { return log_; }
    std::vector<std::string> take_log() { return std::exchange(log_, {}); }

    std::size_t count(const std::string& text) const
    {
        std::size_t number = 0;
        for (const auto& line : log_)
            number += line.find(text) != std::string::npos;
        return number;
    }

    std::string authorization;
    // How long answers take.
    std::function<Task<>()> before_answer;

private:
    std::string origin_ = "http://daemon";
    std::map<std::string, std::deque<Step>> routes_;
    std::vector<std::string> log_;
};

} // namespace golem::provider::test
