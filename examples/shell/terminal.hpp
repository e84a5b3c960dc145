// The person's side of the console: a terminal, or a pipe.
#pragma once

#include <golem/core/call_on.hpp>
#include <golem/core/task.hpp>

#include <boost/asio/thread_pool.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <functional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <poll.h>
#include <unistd.h>

// Reads and writes on threads of its own: both may wait for the person (Ctrl-S), and a terminal that was made
// non-blocking would be so for everybody who shares it.
class Terminal {
public:
    Terminal()
    {
        if (::pipe(bell_.data()) != 0)
            throw std::system_error(errno, std::generic_category(), "pipe");
        reader_ = std::thread([this] { read_lines(); });
    }

    ~Terminal()
    {
        ::close(bell_[1]);
        reader_.join();
        ::close(bell_[0]);
    }

    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    static bool has_person() { return ::isatty(STDIN_FILENO) != 0; }

    // Who gets the lines, on the reading thread. Before the first is asked for.
    void on_line(std::function<void(std::string)> take) { take_ = std::move(take); }

    // For one, with its line feed; an empty one is the end of the input. What is typed before waits in the terminal,
    // where Ctrl-C drops it.
    void ask_for_line()
    {
        if (!is_asked_.exchange(true) && ::write(bell_[1], "?", 1) != 1)
            throw std::system_error(errno, std::generic_category(), "ask for a line");
    }

    // What was asked for comes from elsewhere.
    void answer(std::string line)
    {
        if (is_asked_)
            take_(std::move(line));
    }

    golem::Task<> print(std::string text)
    {
        const std::function<golem::Task<>()> write = [text = std::move(text)]() -> golem::Task<> {
            write_all(text);
            co_return;
        };
        co_await golem::call_on(writer_.get_executor(), write);
    }

private:
    static void write_all(const std::string& text)
    {
        for (std::size_t done = 0; done < text.size();) {
            const auto count = ::write(STDOUT_FILENO, text.data() + done, text.size() - done);
            if (count < 0 && errno != EINTR)
                throw std::system_error(errno, std::generic_category(), "write to the terminal");
            done += count > 0 ? static_cast<std::size_t>(count) : 0;
        }
    }

    void read_lines()
    {
        char bell = 0;
        while (::read(bell_[0], &bell, 1) == 1) {
            std::string line;
            if (!read_line(line))
                return;
            is_asked_ = false;
            take_(std::move(line));
        }
    }

    // False: nobody wants it any more.
    bool read_line(std::string& line)
    {
        std::array<char, 4096> buffer;
        for (;;) {
            const auto end = typed_.find('\n');
            if (end != std::string::npos) {
                line = typed_.substr(0, end + 1);
                typed_.erase(0, end + 1);
                return true;
            }
            std::array<pollfd, 2> sources{pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{bell_[0], POLLIN, 0}};
            if (::poll(sources.data(), sources.size(), -1) < 0)
                continue;
            if (sources[1].revents != 0)
                return false;
            const auto count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
            if (count < 0 && errno == EINTR)
                continue;
            if (count <= 0) {
                line = std::exchange(typed_, std::string());
                return true;
            }
            typed_.append(buffer.data(), static_cast<std::size_t>(count));
        }
    }

    std::array<int, 2> bell_{};
    std::atomic<bool> is_asked_ = false;
    std::function<void(std::string)> take_;
    std::string typed_;
    std::thread reader_;
    boost::asio::thread_pool writer_{1};
};
