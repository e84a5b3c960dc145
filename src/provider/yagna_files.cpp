// Files of requestors, over the bus of a real daemon and the net behind it.
#include "provider/requestor_calls.hpp"
#include "provider/yagna_units.hpp"

#include <golem/bus/value.hpp>

namespace golem::provider {

Task<std::string> YagnaPort::Units::call(const std::string& address, const std::string& body)
{
    // Held: another one may take its place meanwhile.
    const auto connection = connection_;
    if (!connection || !connected_.is_set())
        throw Error(Errc::unreachable, "call a requestor", "there is no connection to the daemon's service bus");
    auto reply = co_await connection->call(address, body);
    co_return reply;
}

class YagnaPort::Files final : public CalledFiles {
public:
    explicit Files(Units& units) : units_(units) {}

protected:
    Task<flex::Value> call(const GftpUrl& url, const std::string& component, const flex::Value& body) override
    {
        const auto address = "/net/" + url.node + "/gftp/" + url.id + "/" + component;
        const auto bytes = flex::encode(body);
        std::string reply;
        std::exception_ptr failure;
        try {
            reply = co_await units_.call(address, bytes);
        } catch (const Error&) {
            failure = std::current_exception();
        }
        if (failure)
            explain(failure);
        const auto value = flex::decode(reply);
        if (const auto* good = value.find("Ok"))
            co_return *good;
        const auto* bad = value.find("Err");
        fail_file_call("GSB error: " + (bad ? flex::to_json(*bad) : std::string("a reply of an unknown form")));
    }

private:
    [[noreturn]] static void explain(const std::exception_ptr& failure)
    {
        try {
            std::rethrow_exception(failure);
        } catch (const Error& error) {
            if (error.errc() == Errc::not_found)
                fail_no_service();
            fail_file_call("GSB error: " + (error.their_words().empty() ? error.explanation() : error.their_words()));
        }
    }

    Units& units_;
};

std::shared_ptr<RequestorFiles> YagnaPort::files() { return std::make_shared<Files>(*units_); }

} // namespace golem::provider
