#pragma once

#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/http/tls.hpp>
#include <golem/http/transport.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <string>

namespace golem {

/// Which daemon to talk to: where it is, who we are, and how requests get there. A value; copy it freely.
class Daemon {
public:
    /// Makes the transport once the executor and the clock are known.
    using MakeTransport = std::function<std::shared_ptr<http::Transport>(const Executor& executor, TimeSource& time)>;

    /// A daemon at `url` ("http://127.0.0.1:7465"). Throws Error invalid_input for a malformed URL or an empty key.
    Daemon(std::string url, std::string app_key);
    /// The same for https, when the daemon's certificate is not one of a known authority.
    Daemon(std::string url, std::string app_key, const http::TlsOptions& tls);
    /// A daemon reached some other way (in process, by a decorated transport). `url` is for messages only.
    Daemon(std::string url, std::string app_key, MakeTransport make_transport);

    /// Reads YAGNA_APPKEY (required: Error invalid_input if missing or empty) and YAGNA_API_URL
    /// (default http://127.0.0.1:7465). Reads the environment once, now. Throws Error invalid_input that names the
    /// variable.
    static Daemon from_environment();
    /// One that cannot be used: make_transport(), and so the constructor of a ServiceManager, throws `reason`. For who
    /// chooses a daemon where nobody can be told yet, as in the arguments of golem::run.
    static Daemon unusable(std::exception_ptr reason);

    const std::string& url() const noexcept { return url_; }
    /// Secret: never log it.
    const std::string& app_key() const noexcept { return app_key_; }
    std::shared_ptr<http::Transport> make_transport(const Executor& executor, TimeSource& time) const;

    /// Says that it answers as a registry of images as well: a devnet in this process.
    Daemon& set_knows_images() noexcept
    {
        knows_images_ = true;
        return *this;
    }
    bool knows_images() const noexcept { return knows_images_; }

private:
    Daemon() = default;

    std::string url_;
    std::string app_key_;
    MakeTransport make_transport_;
    bool knows_images_ = false;
};

} // namespace golem
