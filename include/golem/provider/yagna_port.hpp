#pragma once

#include <golem/core/log.hpp>
#include <golem/core/random.hpp>
#include <golem/core/time_source.hpp>
#include <golem/http/transport.hpp>
#include <golem/provider/port.hpp>

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace golem::provider {

namespace detail {
template <typename Item>
struct Page;
}

struct YagnaPortOptions {
    /// Of the provider's identity.
    std::string app_key;
    /// The daemon's service bus, as in GSB_URL: "tcp://127.0.0.1:7464" or "unix:/tmp/yagna.sock".
    std::string bus_url = "tcp://127.0.0.1:7464";
    /// How often usage is reported: the daemon calls an activity Unresponsive after 5 s of silence and destroys it
    /// after 10 s. 100 ms to 3 s.
    Duration usage_interval = std::chrono::seconds(1);
    /// How long a call that can be repeated is repeated while the daemon is away. 0 to 8 s: agents wait 30 s for a
    /// call.
    Duration patience = std::chrono::seconds(8);
    /// How long the first contact may take.
    Duration first_contact = std::chrono::seconds(10);
};

/// The provider's door to a real daemon (yagna): its provider-side REST API, and its service bus, where requestors
/// reach the exe-units. Await open() first and close() last. A daemon that goes away is waited out: calls that may be
/// repeated are, and when it is back the exe-units are put on its bus again.
///
/// One executor; needs real time for the bus.
class YagnaPort final : public Port {
public:
    /// `daemon` sends to the daemon's REST API. Throws Error (invalid_input) for an option out of range, naming it.
    YagnaPort(
        const Executor& executor, TimeSource& time, std::shared_ptr<http::Transport> daemon,
        const YagnaPortOptions& options, const Random& random, Logger log);
    ~YagnaPort() override;

    /// Learns who we are and connects to the bus. Error unauthorized for a wrong key, unreachable for a daemon or a bus
    /// that is not there after YagnaPortOptions::first_contact.
    Task<> open();
    /// Takes all exe-units off the bus without a word, and leaves it. Idempotent; bounded.
    Task<> close();

    const std::string& node_id() const noexcept override { return node_id_; }

    Task<std::string> publish_offer(const Content& offer) override;
    Task<> withdraw_offer(const std::string& offer) override;
    Task<std::vector<MarketEvent>> market_events(const std::string& offer, Duration wait) override;
    Task<std::string> counter(const std::string& offer, const std::string& proposal, const Content& content) override;
    Task<> reject(const std::string& offer, const std::string& proposal, const Reason& reason) override;
    Task<> approve_agreement(const std::string& agreement) override;
    Task<> reject_agreement(const std::string& agreement, const Reason& reason) override;
    Task<> terminate_agreement(const std::string& agreement, const Reason& reason) override;
    Task<std::vector<AgreementEvent>> agreement_events(Duration wait) override;

    Task<std::vector<ActivityEvent>> activity_events(Duration wait) override;
    Task<> attach(const std::string& activity, std::shared_ptr<ExeUnit> unit) override;
    Task<> detach(const std::string& activity, const std::string& reason, const std::string& message) override;

    Task<std::string> send_debit_note(const DebitNoteDraft& note) override;
    Task<std::string> send_invoice(const InvoiceDraft& invoice) override;
    Task<std::vector<PaymentEvent>> payment_events(Duration wait) override;

    std::shared_ptr<RequestorFiles> files() override;

private:
    class Units;
    class Files;

    // What the two feeds of payments told together.
    struct PaymentNews {
        std::vector<PaymentEvent> events;
        std::exception_ptr failure;
        int failures = 0;
    };

    // One answer, whatever its status but 401.
    Task<http::Response> exchange(const std::string& operation, const http::Request& request);
    // The same with an answer of success; repeated for a while if the daemon is away.
    Task<http::Response> insist(const std::string& operation, const http::Request& request);
    // The same without repetitions: the daemon was there just now.
    Task<http::Response> succeed(const std::string& operation, const http::Request& request);
    // Empty text if there was nothing within `wait`.
    Task<std::string> poll(const std::string& operation, const std::string& target, Duration wait);
    Task<> send_document(const std::string& kind, const std::string& id);
    Task<std::string> try_invoice(const InvoiceDraft& invoice);
    // One of the two feeds; after a failure it waits for the other.
    Task<> poll_payments(PaymentEvent::Document document, Duration wait, PaymentNews& news);
    Task<> read_payments(PaymentEvent::Document document, Duration wait, std::vector<PaymentEvent>& events);
    Task<> set_state(
        const std::string& activity, const UnitStatePair& state, const std::string& reason, const std::string& message);
    std::string log_query(Timestamp after) const;
    template <typename Event>
    Task<std::vector<Event>> read_log(
        const std::string& what, const std::string& path, Timestamp& read, Duration wait,
        detail::Page<Event> (*decode)(std::string_view));
    void note_left_out(const std::string& what, std::size_t count) const;

    // A debit note that was issued and not sent yet.
    struct UnsentNote {
        std::string id;
        Amount total_due;
        std::vector<double> usage;
    };

    struct UnsentInvoice {
        // Empty: nobody knows whether it was issued.
        std::string id;
        Timestamp since{};
    };

    TimeSource& time_;
    std::shared_ptr<http::Transport> daemon_;
    YagnaPortOptions options_;
    Logger log_;
    std::string node_id_;
    // Events are told to one session: that of who approved the agreement. What ends before is not told; the attempt to
    // approve it fails.
    std::string session_;
    Timestamp agreements_read_;
    Timestamp activities_read_;
    std::map<PaymentEvent::Document, Timestamp> payments_read_;
    std::map<std::string, UnsentNote> unsent_notes_;
    std::map<std::string, UnsentInvoice> unsent_invoices_;
    std::unique_ptr<Units> units_;
};

} // namespace golem::provider
