// Money that was paid.
#include <golem/devnet/payments.hpp>

namespace golem::devnet {

namespace {

// "hoodi" of "erc20-hoodi-tglm".
std::string part_of(const std::string& platform, std::size_t number)
{
    std::size_t begin = 0;
    for (std::size_t i = 0; i < number; ++i)
        begin = platform.find('-', begin) + 1;
    return platform.substr(begin, platform.find('-', begin) - begin);
}

std::string bytes(Random& random, std::size_t count)
{
    std::string result;
    for (std::size_t i = 0; i < count; ++i)
        result += static_cast<char>(random.next() & 0xFFU);
    return result;
}

} // namespace

// What was paid before for the same thing is not paid again.
void Payments::pay(const Document& document, Timestamp now)
{
    const bool is_invoice = document.kind == DocumentKind::invoice;
    Decimal before;
    for (const auto& earlier : payments_) {
        if (earlier.agreement == document.billing.agreement && (is_invoice || earlier.activity == document.activity))
            before = before + earlier.amount;
    }
    if (!(document.amount > before))
        return;
    Payment payment;
    payment.id = chain_random_.hex(32);
    payment.requestor = document.billing.requestor;
    payment.provider = document.billing.provider;
    payment.payer_address = document.billing.payer_address;
    payment.payee_address = document.billing.payee_address;
    payment.platform = document.billing.platform;
    payment.amount = document.amount - before;
    // Whole milliseconds, no two alike: a reader's cursor would lose one.
    Timestamp made = std::chrono::floor<std::chrono::milliseconds>(now);
    if (!payments_.empty() && made <= payments_.back().made)
        made = payments_.back().made + std::chrono::milliseconds(1);
    payment.made = made;
    payment.agreement = document.billing.agreement;
    if (!is_invoice)
        payment.activity = document.activity;
    payment.requestor_session = document.billing.requestor_session;
    payment.provider_session = document.billing.provider_session;
    payment.transaction = bytes(chain_random_, 32);
    payment.signature = std::string(1, '\0') + bytes(chain_random_, 64);
    payments_.push_back(std::move(payment));
    for (const auto& party : {document.billing.requestor, document.billing.provider})
        touched_.push_back("payments/" + party);
}

std::vector<Payment> Payments::payments(const std::string& reader, const PaymentQuery& query) const
{
    std::vector<Payment> found;
    for (const auto& payment : payments_) {
        const bool is_payer = payment.requestor == reader;
        if (!is_payer && payment.provider != reader)
            continue;
        const auto& session = is_payer ? payment.requestor_session : payment.provider_session;
        const bool fits = payment.made > query.after && (!query.session || *query.session == session) &&
                          (!query.driver || *query.driver == part_of(payment.platform, 0)) &&
                          (!query.network || *query.network == part_of(payment.platform, 1));
        if (fits && (!query.max_events || found.size() < *query.max_events))
            found.push_back(payment);
    }
    return found;
}

Result<Payment> Payments::payment(const std::string& reader, const std::string& id) const
{
    for (const auto& payment : payments_) {
        if (payment.id == id && (payment.requestor == reader || payment.provider == reader))
            return payment;
    }
    return Failure(404, "", BodyKind::null_message);
}

Result<std::vector<Payment>> Payments::payments_of_invoice(const std::string& reader, const std::string& id) const
{
    const auto invoice = document(reader, DocumentKind::invoice, id);
    if (!invoice)
        return invoice.failure();
    std::vector<Payment> found;
    for (const auto& payment : payments_) {
        if (payment.agreement == invoice->billing.agreement)
            found.push_back(payment);
    }
    return found;
}

} // namespace golem::devnet
