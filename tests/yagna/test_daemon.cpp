#include "support.hpp"

#include <golem/yagna/daemon.hpp>

#include <cstdlib>

using namespace golem;
using namespace golem::yagna::test;

namespace {

/// Sets (or, with null, clears) a variable of the environment for the length of a test.
class Variable {
public:
    Variable(const char* name, const char* value) : name_(name)
    {
        if (const char* before = std::getenv(name))
            before_ = before;
        set(value);
    }

    ~Variable() { set(before_ ? before_->c_str() : nullptr); }

    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

private:
    void set(const char* value)
    {
        if (value)
            ::setenv(name_, value, 1);
        else
            ::unsetenv(name_);
    }

    const char* name_;
    std::optional<std::string> before_;
};

template <typename Make>
std::string refusal(Make make)
{
    try {
        make();
    } catch (const Error& error) {
        CHECK(error.errc() == Errc::invalid_input);
        return error.what();
    }
    return "not refused";
}

} // namespace

TEST_CASE("the environment names the daemon")
{
    const Variable key("YAGNA_APPKEY", "my-key");
    {
        const Variable url("YAGNA_API_URL", "http://localhost:1234");
        const auto daemon = Daemon::from_environment();
        CHECK(daemon.url() == "http://localhost:1234");
        CHECK(daemon.app_key() == "my-key");
    }
    for (const char* unset : {static_cast<const char*>(nullptr), ""}) {
        const Variable url("YAGNA_API_URL", unset);
        CHECK(Daemon::from_environment().url() == "http://127.0.0.1:7465");
    }
    for (const std::string wrong : {"foo", "127.0.0.1:7465", "http://127.0.0.1:99999", "localhost:7465/me"}) {
        const Variable url("YAGNA_API_URL", wrong.c_str());
        CHECK(contains(refusal([] { Daemon::from_environment(); }), "YAGNA_API_URL is \"" + wrong + "\": "));
    }
    const Variable url("YAGNA_API_URL", "http://me:password@127.0.0.1");
    const auto text = refusal([] { Daemon::from_environment(); });
    CHECK(contains(text, "YAGNA_API_URL: "));
    CHECK_FALSE(contains(text, "password@"));
}

TEST_CASE("a daemon that cannot be used says why when it is needed")
{
    golem::test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto reason = std::make_exception_ptr(Error(Errc::invalid_input, "test", "as planned"));
        const auto daemon = Daemon::unusable(reason);
        const auto executor = co_await boost::asio::this_coro::executor;
        CHECK(contains(refusal([&] { daemon.make_transport(executor, time); }), "as planned"));
    });
}

TEST_CASE("without a key the error says how to set one")
{
    for (const char* missing : {static_cast<const char*>(nullptr), ""}) {
        const Variable key("YAGNA_APPKEY", missing);
        const auto text = refusal([] { Daemon::from_environment(); });
        CHECK(contains(text, "export YAGNA_APPKEY="));
        CHECK(contains(text, "golem-devnet"));
    }
}

TEST_CASE("a daemon that cannot be one is refused at once")
{
    CHECK(contains(refusal([] { Daemon("http://127.0.0.1:7465", ""); }), "app key is empty"));
    const auto stray = refusal([] { Daemon("http://127.0.0.1:7465", "secret-key\n"); });
    CHECK(contains(stray, "control character"));
    CHECK_FALSE(contains(stray, "secret-key"));
    CHECK(refusal([] { Daemon("ftp://x", "key"); }) != "not refused");
    CHECK(refusal([] { Daemon("here", "key", nullptr); }) != "not refused");
}

TEST_CASE("a transport of one's own")
{
    golem::test::run_virtual([](VirtualTime& time) -> Task<> {
        const Daemon daemon(
            "in process", "key", [](const Executor&, TimeSource& clock) -> std::shared_ptr<http::Transport> {
                return std::make_shared<ScriptedTransport>(dynamic_cast<VirtualTime&>(clock));
            });
        const auto executor = co_await boost::asio::this_coro::executor;
        CHECK(daemon.make_transport(executor, time)->origin() == "http://127.0.0.1:7465");
        CHECK(daemon.url() == "in process");
    });
}
