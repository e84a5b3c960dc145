#pragma once

#include <golem/devnet/host.hpp>
#include <golem/provider/port.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace golem::devnet {

/// A provider's door to the devnet, on the host's executor. The host must outlive it.
class InProcessPort final : public provider::Port {
public:
    /// The node follows from the devnet's seed and `name`.
    InProcessPort(Host& host, std::string name);

    const std::string& node_id() const noexcept override { return node_; }

    Task<std::string> publish_offer(const Content& offer) override;
    Task<> withdraw_offer(const std::string& offer) override;
    Task<std::vector<provider::MarketEvent>> market_events(const std::string& offer, Duration wait) override;
    Task<std::string> counter(const std::string& offer, const std::string& proposal, const Content& content) override;
    Task<> reject(const std::string& offer, const std::string& proposal, const Reason& reason) override;
    Task<> approve_agreement(const std::string& agreement) override;
    Task<> reject_agreement(const std::string& agreement, const Reason& reason) override;
    Task<> terminate_agreement(const std::string& agreement, const Reason& reason) override;
    Task<std::vector<provider::AgreementEvent>> agreement_events(Duration wait) override;
    Task<std::vector<provider::ActivityEvent>> activity_events(Duration wait) override;
    Task<> attach(const std::string& activity, std::shared_ptr<provider::ExeUnit> unit) override;
    Task<> detach(const std::string& activity, const std::string& reason, const std::string& message) override;
    Task<std::string> send_debit_note(const provider::DebitNoteDraft& note) override;
    Task<std::string> send_invoice(const provider::InvoiceDraft& invoice) override;
    Task<std::vector<provider::PaymentEvent>> payment_events(Duration wait) override;

    std::shared_ptr<provider::RequestorFiles> files() override;

private:
    template <typename T>
    T settled(std::string what, Result<T> result);
    provider::MarketEvent translate(const QueuedEvent& event) const;

    Host& host_;
    std::string name_;
    std::string node_;
    std::string session_;
    // What was read of the logs.
    Timestamp agreements_read_{};
    std::size_t activities_read_ = 0;
    Timestamp payments_read_{};
};

} // namespace golem::devnet
