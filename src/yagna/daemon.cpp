#include <golem/yagna/daemon.hpp>

#include <golem/core/error.hpp>
#include <golem/http/client.hpp>
#include <golem/http/url.hpp>

#include <cstdlib>
#include <utility>

namespace golem {

namespace {

constexpr const char* default_url = "http://127.0.0.1:7465";

void check_key(const std::string& app_key)
{
    if (app_key.empty())
        throw Error(
            Errc::invalid_input, "choose a daemon",
            "the app key is empty: `yagna app-key list` shows the keys that the daemon knows");
    // It is sent in a header line.
    for (const char c : app_key)
        if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f')
            throw Error(
                Errc::invalid_input, "choose a daemon",
                "the app key holds a blank or a control character: look for a stray line break where it is set");
}

std::string environment(const char* name)
{
    const char* value = std::getenv(name);
    return value ? value : "";
}

// Says which variable is wrong.
void check_url(const std::string& url)
{
    try {
        http::Url::parse(url);
    } catch (const Error& error) {
        // It may hold a password.
        const auto value = url.find('@') == std::string::npos ? " is \"" + url + "\"" : std::string();
        throw Error(Errc::invalid_input, "read the environment", "YAGNA_API_URL" + value + ": " + error.explanation());
    }
}

} // namespace

Daemon::Daemon(std::string url, std::string app_key) : Daemon(std::move(url), std::move(app_key), http::TlsOptions()) {}

Daemon::Daemon(std::string url, std::string app_key, const http::TlsOptions& tls)
    : url_(std::move(url)), app_key_(std::move(app_key))
{
    check_key(app_key_);
    const auto parsed = http::Url::parse(url_);
    url_ = parsed.to_string();
    http::ClientOptions options;
    options.tls = tls;
    make_transport_ = [parsed, options](const Executor& executor, TimeSource& time) {
        return http::make_transport(executor, time, parsed, options);
    };
}

Daemon::Daemon(std::string url, std::string app_key, MakeTransport make_transport)
    : url_(std::move(url)), app_key_(std::move(app_key)), make_transport_(std::move(make_transport))
{
    check_key(app_key_);
    if (!make_transport_)
        throw Error(Errc::invalid_input, "choose a daemon", "there is no way to make a transport to " + url_);
}

Daemon Daemon::from_environment()
{
    auto app_key = environment("YAGNA_APPKEY");
    if (app_key.empty())
        throw Error(
            Errc::invalid_input, "read the environment",
            "YAGNA_APPKEY is not set: `yagna app-key list` shows the daemon's keys, `export YAGNA_APPKEY=…` sets one; "
            "without a daemon, golem-devnet offers a whole network on this machine");
    const auto url = environment("YAGNA_API_URL");
    if (url.empty())
        return Daemon(default_url, std::move(app_key));
    check_url(url);
    return Daemon(url, std::move(app_key));
}

Daemon Daemon::unusable(std::exception_ptr reason)
{
    Daemon daemon;
    daemon.make_transport_ = [reason](const Executor&, TimeSource&) -> std::shared_ptr<http::Transport> {
        std::rethrow_exception(reason);
    };
    return daemon;
}

std::shared_ptr<http::Transport> Daemon::make_transport(const Executor& executor, TimeSource& time) const
{
    return make_transport_(executor, time);
}

} // namespace golem
