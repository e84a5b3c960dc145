#include <golem/devnet/payments.hpp>

#include <golem/core/timestamp.hpp>

#include <algorithm>

namespace golem::devnet {

namespace {

Failure unknown() { return Failure(404, "", BodyKind::null_message); }

// The daemon's default life of an allocation.
constexpr auto long_time = std::chrono::hours(24) * 3650;

bool is_payable(DocumentStatus status)
{
    return status == DocumentStatus::received || status == DocumentStatus::rejected;
}

} // namespace

std::string_view to_string(DocumentStatus status) noexcept
{
    switch (status) {
    case DocumentStatus::received: return "RECEIVED";
    case DocumentStatus::accepted: return "ACCEPTED";
    case DocumentStatus::rejected: return "REJECTED";
    case DocumentStatus::settled: return "SETTLED";
    case DocumentStatus::cancelled: return "CANCELLED";
    }
    return "";
}

Result<Allocation> Payments::allocate(const std::string& owner, const NewAllocation& wish, Timestamp now)
{
    if (wish.timeout && *wish.timeout <= now) {
        Failure failure(400, "Requested allocation timeout is in the past", BodyKind::problem);
        failure.add("type", "validation-error").add("instance", "validation-error/timeout-passed");
        failure.add("address", wish.address).add("paymentPlatform", wish.platform);
        return failure;
    }
    if (wish.address != owner) {
        Failure failure(500, "Unhandled internal error", BodyKind::problem);
        failure.add("type", "internal-error");
        const auto odd =
            wish.address.find_first_not_of("0123456789abcdefABCDEF", wish.address.starts_with("0x") ? 2 : 0);
        const auto why = odd == std::string::npos
                             ? "Account " + wish.address + " not found in active accounts"
                             : "Error when parsing identity key: " + wish.address + " - Invalid character '" +
                                   wish.address[odd] + "' at position " + std::to_string(odd);
        failure.add("internalError", "Failed to initialize account on driver: erc20 due to error " + why);
        return failure;
    }
    if (options_.chain == Chain::unreachable) {
        Failure failure(500, "Unhandled internal error", BodyKind::problem);
        failure.add("type", "internal-error");
        failure.add(
            "internalError",
            "RPC error: Error while validating allocation: Error while sending payment: CustomError: Error getting "
            "balance for account: " +
                wish.address + " - Server is unreachable, erc20_payment_lib/src/eth.rs:547:21");
        return failure;
    }
    const auto taken = reserved(owner, wish.platform, now);
    const auto key = owner + "/" + wish.platform;
    const auto charged = charged_on_platform_.find(key);
    const auto balance =
        Decimal(options_.funds) - (charged == charged_on_platform_.end() ? Decimal() : charged->second);
    const auto available = balance - taken;
    if (wish.total > available) {
        Failure failure(
            400,
            "Insufficient funds to create the allocation. Top up your account or release all existing allocations to "
            "unlock the funds via `yagna payment release-allocations`",
            BodyKind::problem);
        failure.add("type", "validation-error").add("instance", "validation-error/insufficient-account-funds");
        failure.add("requestedFunds", wish.total.to_string()).add("availableFunds", available.to_string());
        failure.add("reservedFunds", taken.to_string());
        failure.add("paymentPlatform", wish.platform).add("address", wish.address);
        return failure;
    }
    Allocation allocation;
    allocation.id = random_.uuid();
    allocation.owner = owner;
    allocation.platform = wish.platform;
    allocation.address = wish.address;
    allocation.remaining = wish.total;
    allocation.created = now;
    allocation.timeout = wish.timeout.value_or(now + long_time);
    allocation.make_deposit = wish.make_deposit;
    allocation.deposit = wish.deposit;
    allocations_.emplace(allocation.id, allocation);
    allocation_order_.push_back(allocation.id);
    return allocation;
}

Decimal Payments::reserved(const std::string& owner, const std::string& platform, Timestamp now) const
{
    Decimal sum;
    for (const auto& [id, allocation] : allocations_) {
        if (allocation.owner == owner && allocation.platform == platform && !allocation.released &&
            allocation.timeout > now)
            sum = sum + allocation.remaining;
    }
    return sum;
}

Allocation* Payments::active(const std::string& owner, const std::string& id, Timestamp now)
{
    const auto found = allocations_.find(id);
    if (found == allocations_.end() || found->second.owner != owner)
        return nullptr;
    auto& allocation = found->second;
    if (allocation.timeout <= now)
        allocation.released = true;
    return allocation.released ? nullptr : &allocation;
}

std::vector<Allocation> Payments::allocations(const std::string& owner, Timestamp now)
{
    std::vector<Allocation> list;
    for (const auto& id : allocation_order_) {
        if (const auto* allocation = active(owner, id, now))
            list.push_back(*allocation);
    }
    return list;
}

Result<Allocation> Payments::allocation(const std::string& owner, const std::string& id, Timestamp now)
{
    if (const auto* found = active(owner, id, now))
        return *found;
    return unknown();
}

Result<Allocation>
Payments::amend(const std::string& owner, const std::string& id, const AllocationChange& change, Timestamp now)
{
    auto* allocation = active(owner, id, now);
    if (!allocation)
        return unknown();
    if (change.deposit && !allocation->deposit)
        return Failure(400, "Cannot update deposit of an allocation created without one");
    if (change.timeout && *change.timeout <= now)
        return Failure(400, "New allocation timeout is in the past");
    if (change.total) {
        if (*change.total < allocation->spent)
            return Failure(400, "New allocation would be smaller than the already spent amount");
        const auto others = reserved(owner, allocation->platform, now) - allocation->remaining;
        const auto charged = charged_on_platform_.find(owner + "/" + allocation->platform);
        const auto balance =
            Decimal(options_.funds) - (charged == charged_on_platform_.end() ? Decimal() : charged->second);
        const auto remaining = *change.total - allocation->spent;
        if (remaining > balance - others) {
            Failure failure(
                400,
                "Insufficient funds to create the allocation. Top up your account or release all existing allocations "
                "to unlock the funds via `yagna payment release-allocations`",
                BodyKind::problem);
            failure.add("type", "validation-error").add("instance", "validation-error/insufficient-account-funds");
            failure.add("requestedFunds", change.total->to_string());
            failure.add("availableFunds", (balance - others).to_string()).add("reservedFunds", others.to_string());
            failure.add("paymentPlatform", allocation->platform).add("address", allocation->address);
            return failure;
        }
        allocation->remaining = remaining;
    }
    if (change.timeout)
        allocation->timeout = *change.timeout;
    return *allocation;
}

Result<Done> Payments::release(const std::string& owner, const std::string& id, Timestamp now)
{
    if (auto* allocation = active(owner, id, now)) {
        allocation->released = true;
        return Done();
    }
    const auto found = allocations_.find(id);
    if (found == allocations_.end() || found->second.owner != owner)
        return unknown();
    return Failure(410, "Allocation " + id + " has been already released");
}

Document* Payments::find(DocumentKind kind, const std::string& id)
{
    const auto found = index_.find(id);
    if (found == index_.end() || documents_[found->second].kind != kind)
        return nullptr;
    return &documents_[found->second];
}

const Document* Payments::find(DocumentKind kind, const std::string& id) const
{
    return const_cast<Payments*>(this)->find(kind, id);
}

std::string Payments::store(Document document, Timestamp now)
{
    document.id = random_.uuid();
    document.issued = std::chrono::floor<std::chrono::milliseconds>(now);
    document.received = document.issued + std::chrono::milliseconds(1);
    index_.emplace(document.id, documents_.size());
    of_agreement_[document.billing.agreement].push_back(documents_.size());
    documents_.push_back(std::move(document));
    tell(documents_.back(), PaymentEventKind::received, now);
    return documents_.back().id;
}

std::string Payments::send_note(
    const Billing& billing, const std::string& activity, const Decimal& total,
    const std::optional<std::vector<double>>& usage, std::optional<Timestamp> due, Timestamp now)
{
    Document note;
    note.kind = DocumentKind::debit_note;
    note.billing = billing;
    note.activity = activity;
    note.amount = total;
    note.usage = usage;
    note.due = due;
    for (const auto position : of_agreement_[billing.agreement]) {
        const auto& document = documents_[position];
        if (document.kind == DocumentKind::debit_note && document.activity == activity)
            note.previous = document.id;
    }
    return store(std::move(note), now);
}

std::string Payments::send_invoice(
    const Billing& billing, const std::vector<std::string>& activities, const Decimal& amount,
    std::optional<Timestamp> due, Timestamp now)
{
    Document invoice;
    invoice.kind = DocumentKind::invoice;
    invoice.billing = billing;
    invoice.activities = activities;
    invoice.amount = amount;
    invoice.due = due;
    return store(std::move(invoice), now);
}

Result<Done> Payments::cancel(const std::string& issuer, const std::string& id, Timestamp now)
{
    auto* invoice = find(DocumentKind::invoice, id);
    if (!invoice || invoice->billing.provider != issuer)
        return unknown();
    if (invoice->status == DocumentStatus::accepted || invoice->status == DocumentStatus::settled)
        return Failure(409, "Invoice already accepted by requestor");
    invoice->status = DocumentStatus::cancelled;
    tell(*invoice, PaymentEventKind::cancelled, now);
    return Done();
}

Result<Document> Payments::document(const std::string& reader, DocumentKind kind, const std::string& id) const
{
    const auto* found = find(kind, id);
    if (!found || (found->billing.requestor != reader && found->billing.provider != reader))
        return unknown();
    return *found;
}

std::vector<Document> Payments::documents(const std::string& reader, DocumentKind kind) const
{
    std::vector<Document> list;
    for (const auto& document : documents_) {
        const bool is_party = document.billing.requestor == reader || document.billing.provider == reader;
        if (is_party && document.kind == kind)
            list.push_back(document);
    }
    return list;
}

std::map<std::string, Decimal> Payments::accepted_notes(const std::string& agreement) const
{
    std::map<std::string, Decimal> most;
    const auto found = of_agreement_.find(agreement);
    if (found == of_agreement_.end())
        return most;
    for (const auto position : found->second) {
        const auto& note = documents_[position];
        const bool counts = note.status == DocumentStatus::accepted || note.status == DocumentStatus::settled;
        if (note.kind == DocumentKind::debit_note && counts && note.amount >= most[note.activity])
            most[note.activity] = note.amount;
    }
    return most;
}

Decimal Payments::requested_by_notes(const std::string& agreement) const
{
    std::map<std::string, Decimal> most;
    const auto found = of_agreement_.find(agreement);
    for (const auto position : found == of_agreement_.end() ? std::vector<std::size_t>() : found->second) {
        const auto& note = documents_[position];
        if (note.kind == DocumentKind::debit_note && note.amount >= most[note.activity])
            most[note.activity] = note.amount;
    }
    Decimal sum;
    for (const auto& [activity, total] : most)
        sum = sum + total;
    return sum;
}

Decimal Payments::accepted_by_invoices(const std::string& agreement) const
{
    Decimal most;
    for (const auto position : of_agreement_.at(agreement)) {
        const auto& invoice = documents_[position];
        const bool counts = invoice.status == DocumentStatus::accepted || invoice.status == DocumentStatus::settled;
        if (invoice.kind == DocumentKind::invoice && counts && invoice.amount > most)
            most = invoice.amount;
    }
    return most;
}

bool Payments::has_decided_invoice(const std::string& agreement) const
{
    const auto& positions = of_agreement_.at(agreement);
    return std::any_of(positions.begin(), positions.end(), [this](std::size_t position) {
        const auto& document = documents_[position];
        return document.kind == DocumentKind::invoice && document.status != DocumentStatus::received;
    });
}

// The order of the checks is the daemon's.
Result<Done> Payments::accept(
    const std::string& payer, DocumentKind kind, const std::string& id, const Decimal& amount,
    const std::string& allocation_id, Timestamp now)
{
    auto* document = find(kind, id);
    if (!document || document->billing.requestor != payer)
        return unknown();
    if (amount != document->amount)
        return Failure(400, "Invalid amount accepted");
    if (document->status == DocumentStatus::cancelled)
        return Failure(400, kind == DocumentKind::invoice ? "Invoice cancelled" : "Debit note cancelled");
    if (!is_payable(document->status))
        return Done();
    const auto& agreement = document->billing.agreement;
    if (kind == DocumentKind::debit_note && has_decided_invoice(agreement))
        return Done();

    Decimal before;
    for (const auto& [activity, total] : accepted_notes(agreement)) {
        if (kind == DocumentKind::invoice || activity == document->activity)
            before = before + total;
    }
    if (kind == DocumentKind::invoice && document->amount < before)
        return Failure(
            400, "Invoice is smaller than agreement.total_amount_accepted. invoice_id=" + id + ", invoice_amount=" +
                     document->amount.to_string() + ", total_amount_accepted=" + before.to_string());
    // A further invoice is charged beyond the one before.
    if (kind == DocumentKind::invoice && accepted_by_invoices(agreement) > before)
        before = accepted_by_invoices(agreement);
    auto* allocation = active(payer, allocation_id, now);
    if (!allocation)
        return Failure(400, "Allocation " + allocation_id + " not found");
    const auto charge =
        document->amount > before ? document->amount - before : Decimal(Amount(), document->amount.scale());
    if (charge > allocation->remaining)
        return Failure(
            400,
            "Not enough funds. Allocated: " + allocation->remaining.to_string() + " Needed: " + charge.to_string());

    allocation->spent = allocation->spent + charge;
    allocation->remaining = allocation->remaining - charge;
    auto& all = charged_[payer];
    all = all + charge;
    auto& here = charged_on_platform_[payer + "/" + allocation->platform];
    here = here + charge;

    document->status = DocumentStatus::accepted;
    tell(*document, PaymentEventKind::accepted, now);
    if (document->amount.value().is_zero())
        settle(*document, now);
    else if (options_.settle_after)
        settling_.emplace(now + *options_.settle_after, index_.at(id));
    advance(now);
    return Done();
}

Result<Done>
Payments::reject_invoice(const std::string& payer, const std::string& id, const std::string& rejection, Timestamp now)
{
    auto* invoice = find(DocumentKind::invoice, id);
    if (!invoice || invoice->billing.requestor != payer)
        return unknown();
    switch (invoice->status) {
    case DocumentStatus::accepted: return Failure(400, "Invoice accepted");
    case DocumentStatus::settled: return Failure(400, "Invoice settled");
    case DocumentStatus::cancelled: return Failure(400, "Invoice cancelled");
    case DocumentStatus::rejected: return Done();
    case DocumentStatus::received: break;
    }
    invoice->status = DocumentStatus::rejected;
    tell(*invoice, PaymentEventKind::rejected, now, rejection);
    return Done();
}

void Payments::tell(const Document& document, PaymentEventKind kind, Timestamp now, const std::string& rejection)
{
    PaymentLogEntry entry;
    entry.document = document.kind;
    entry.kind = kind;
    entry.id = document.id;
    entry.rejection = rejection;

    entry.date = stamps_.next(now);
    entry.session = document.billing.requestor_session;
    logs_[document.billing.requestor].push_back(entry);
    touched_.push_back("payments/" + document.billing.requestor);

    entry.date = stamps_.next(now);
    entry.session = document.billing.provider_session;
    entry.reader_is_requestor = false;
    logs_[document.billing.provider].push_back(entry);
    touched_.push_back("payments/" + document.billing.provider);
}

std::vector<PaymentLogEntry> Payments::events(const std::string& reader, const PaymentEventQuery& query) const
{
    std::vector<PaymentLogEntry> found;
    const auto log = logs_.find(reader);
    if (log == logs_.end())
        return found;
    const auto& entries = log->second;
    const auto after = std::chrono::floor<std::chrono::microseconds>(query.after);
    auto entry =
        std::upper_bound(entries.begin(), entries.end(), after, [](const auto& limit, const PaymentLogEntry& one) {
            return limit < one.date;
        });
    // The daemon applies its limit before it looks at the kinds: a run of filtered ones can use it up.
    std::size_t looked_at = 0;
    for (; entry != entries.end(); ++entry) {
        if (entry->document != query.document || (query.session && entry->session != *query.session))
            continue;
        if (query.max_events && looked_at++ >= *query.max_events)
            break;
        if ((entry->reader_is_requestor ? query.as_requestor : query.as_provider).contains(entry->kind))
            found.push_back(*entry);
    }
    return found;
}

void Payments::settle(const Document& which, Timestamp now)
{
    auto& document = documents_[index_.at(which.id)];
    if (document.status != DocumentStatus::accepted)
        return;
    document.status = DocumentStatus::settled;
    pay(document, now);
    tell(document, PaymentEventKind::settled, now);
    if (document.kind != DocumentKind::invoice)
        return;
    for (const auto position : of_agreement_.at(document.billing.agreement)) {
        auto& note = documents_[position];
        if (note.kind == DocumentKind::debit_note && note.status == DocumentStatus::accepted) {
            note.status = DocumentStatus::settled;
            tell(note, PaymentEventKind::settled, now);
        }
    }
}

std::optional<Timestamp> Payments::next_deadline() const
{
    if (settling_.empty())
        return std::nullopt;
    return settling_.begin()->first;
}

void Payments::advance(Timestamp now)
{
    while (!settling_.empty() && settling_.begin()->first <= now) {
        const auto position = settling_.begin()->second;
        settling_.erase(settling_.begin());
        settle(documents_[position], now);
    }
}

Decimal Payments::spent(const std::string& owner) const
{
    const auto found = charged_.find(owner);
    return found == charged_.end() ? Decimal() : found->second;
}

std::vector<std::string> Payments::take_touched() { return std::exchange(touched_, {}); }

} // namespace golem::devnet
