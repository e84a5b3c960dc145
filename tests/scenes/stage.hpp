// Where a scenario is played: a requestor's URL and a provider's port, of a devnet or of real daemons. What both say is
// recorded, so that two performances can be compared.
#pragma once

#include <golem/core/error.hpp>
#include <golem/core/task_group.hpp>
#include <golem/core/time_source.hpp>
#include <golem/http/transport.hpp>
#include <golem/provider/port.hpp>

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace golem::test {

// The order of members matters in what is sent: complaints name columns.
using Json = nlohmann::ordered_json;

/// Who plays. All outlive the stage.
struct Cast {
    http::Transport* requestor = nullptr;
    std::string key;
    provider::Port* provider = nullptr;
    /// Begins all names that this performance gives away: no other one on these daemons has it.
    std::string tag;
};

struct Answer {
    unsigned status = 0;
    Json body;

    std::string text() const { return body.is_string() ? body.get<std::string>() : std::string(); }
};

/// One performance. One executor.
class Stage {
public:
    Stage(const Executor& executor, TimeSource& time, Cast cast);

    const std::string& tag() const noexcept { return cast_.tag; }
    /// "TAG-1", "TAG-2": a node's name, for an offer that no other demand meets.
    std::string new_name();
    /// The requestor's node.
    const std::string& requestor() const noexcept { return requestor_; }
    provider::Port& provider() noexcept { return *cast_.provider; }
    TimeSource& time() noexcept { return time_; }
    const Executor& executor() const noexcept { return executor_; }
    /// When the performance began, as a query wants it.
    const std::string& began() const noexcept { return began_; }

    /// Asks who the requestor is.
    Task<> open();

    Task<Answer> get(std::string target);
    Task<Answer> del(std::string target);
    Task<Answer> post(std::string target);
    Task<Answer> post(std::string target, const Json& body);
    Task<Answer> put(std::string target, const Json& body);
    /// With the text as its body, whatever it is.
    Task<Answer> post_text(std::string target, std::string body);
    /// As it is, but with the key.
    Task<Answer> send(http::Request request);
    /// As it is.
    Task<Answer> send_without_key(http::Request request);
    /// What comes within `time` as a stream of server-sent events: the body is the list of them.
    Task<> stream(std::string target, Duration time);
    /// Asks again and again until `count` items have come: their number a time depends on chance. One row.
    Task<Answer> collect(std::string target, std::size_t count);
    /// The items whose member `key` is one of `own`: others' are there, too.
    Task<Answer> get_own(std::string target, std::string key, const std::set<std::string>& own);

    /// In the background; what `make` asks is recorded where it was asked. Ends with the next settle().
    Task<> meanwhile(std::function<Task<>()> make);
    /// Waits for all that goes on meanwhile.
    Task<> settle();
    Task<> pass(Duration duration);

    /// Reads the port until `count` events have come.
    Task<std::vector<provider::MarketEvent>> market_events(const std::string& offer, std::size_t count);
    Task<std::vector<provider::AgreementEvent>> agreement_events(const std::string& agreement, std::size_t count);
    /// Reads the port once: what it has told of the agreement by then may be nothing.
    Task<> agreement_events_so_far(const std::string& agreement);
    Task<provider::ActivityEvent> activity_event(const std::string& agreement);
    Task<std::vector<provider::PaymentEvent>> payment_events(const std::string& document, std::size_t count);
    /// What the port says to `call`: the value, or the daemon's words of an error.
    Task<std::string> tell(std::string what, Task<std::string> call);
    Task<> tell(std::string what, Task<> call);

    /// All that was said: a first row of names, and then one for each exchange.
    const std::vector<Json>& rows() const noexcept { return rows_; }

private:
    Task<Answer> exchange(http::Request request, bool with_key);
    Task<> open_stream(const http::Request& request, std::unique_ptr<http::ResponseStream>& stream);
    Task<> read_stream(http::ResponseStream& stream, std::size_t row, Instant until);
    std::size_t new_row(const http::Request& request);
    void fill(std::size_t row, const http::Response& response, Duration took);
    void note(const std::string& what, const Json& said);

    Executor executor_;
    TimeSource& time_;
    Cast cast_;
    std::string requestor_;
    std::string began_;
    int names_ = 0;
    std::vector<Json> rows_;
    // Read, but of others.
    std::vector<provider::AgreementEvent> agreement_backlog_;
    std::vector<provider::ActivityEvent> activity_backlog_;
    std::vector<provider::PaymentEvent> payment_backlog_;
    std::unique_ptr<TaskGroup> group_;
};

/// Status, headers that matter and body.
Json row_of(const http::Response& response);

/// Percent-encoded.
std::string quoted(const std::string& text);

} // namespace golem::test
