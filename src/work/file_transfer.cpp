#include <golem/work/file_transfer.hpp>

#include "file_ends.hpp"
#include "file_service.hpp"

#include <golem/core/race.hpp>
#include <golem/core/shield.hpp>
#include <golem/properties/json_text.hpp>
#include <golem/work/work_context.hpp>

#include <boost/asio/this_coro.hpp>

#include <utility>

namespace golem {

namespace {

namespace fs = std::filesystem;
using detail::FileService;

// To take a service back when its transfer is over, however it went.
constexpr Duration removal_limit = std::chrono::seconds(10);

void check(const std::string& path, const std::string& operation)
{
    if (const auto* problem = detail::machine_path_problem(path))
        throw Error(Errc::invalid_input, operation, problem);
}

Task<> serve_into(FileService& service, yagna::GsbSocket& socket, std::exception_ptr& failure)
{
    try {
        co_await service.serve(socket);
    } catch (...) {
        failure = std::current_exception();
    }
}

Task<> remove_service(yagna::Client& client, TimeSource& time, std::string id)
{
    auto removal = client.gsb().remove(id);
    try {
        co_await with_timeout(time, removal_limit, std::move(removal), "removal of a service");
    } catch (const Error&) {
        // A daemon that is away forgets its services; the transfer's own failure tells of it.
    }
}

// Whether one value in JSON is in the text.
void check_json(const std::string& text, const std::string& operation, Errc code)
{
    try {
        properties::parse_value(text);
    } catch (const Error& error) {
        throw Error(code, operation, "it is not JSON: " + error.explanation());
    }
}

} // namespace

Task<> WorkContext::transfer(
    detail::FileService& service, std::string id, const Script& script, const std::string& operation, Duration limit)
{
    const auto socket = co_await client_.gsb().connect(id);
    std::exception_ptr broken;
    std::exception_ptr failure;
    const auto command = [](WorkContext& work, const Script& commands, std::exception_ptr& slot) -> Task<> {
        try {
            co_await work.execute(commands);
        } catch (...) {
            slot = std::current_exception();
        }
    };
    auto serving = serve_into(service, *socket, broken);
    auto executing = command(*this, script, failure);
    auto sleeping = time_.sleep_for(limit, "limit of a transfer");
    const auto first = co_await first_of(std::move(executing), std::move(serving), std::move(sleeping));
    // The provider's failure follows from ours.
    if (service.failure())
        std::rethrow_exception(service.failure());
    if (first == 0 && failure)
        std::rethrow_exception(failure);
    if (first == 1) {
        Error error(
            Errc::daemon_failed, operation,
            broken ? "the way of the file broke: " + describe(broken) : "the daemon closed the way of the file");
        error.set_transient(true);
        throw error;
    }
    if (first == 2)
        throw Error(
            Errc::timed_out, operation,
            "it took longer than FileTransferOptions::limit; the provider notices in a minute, and is busy until then");
}

// The service is gone afterwards, whatever happened.
Task<> WorkContext::transfer(
    detail::FileService& service, const TransferPlan& plan, const std::string& operation, Duration limit)
{
    namespace this_coro = boost::asio::this_coro;
    const auto turn = co_await client_.gsb().turn(options_.transfers_at_once);
    const auto node = co_await client_.gsb().node();
    const auto name = client_.gsb().new_id();
    const auto address = "/public/gftp/" + name;
    const auto url = "gftp://" + node + "/" + name;
    Script script;
    if (plan.to_machine)
        script.transfer(plan.hash.empty() ? url : "hash:sha3:" + plan.hash + ":" + url, "container:" + plan.path);
    else
        script.transfer("container:" + plan.path, url);
    const auto components = service.components();
    std::exception_ptr failure;
    try {
        auto id = co_await client_.gsb().listen(address, components);
        co_await transfer(service, std::move(id), script, operation, limit);
    } catch (...) {
        failure = std::current_exception();
    }
    const bool throws = co_await this_coro::throw_if_cancelled();
    co_await this_coro::throw_if_cancelled(false);
    auto removal = remove_service(client_, time_, yagna::GsbApi::id_of(address));
    co_await shield(std::move(removal));
    co_await this_coro::throw_if_cancelled(throws);
    if (failure)
        std::rethrow_exception(failure);
}

Task<> WorkContext::give(
    std::unique_ptr<detail::SendingEnd> end, std::string to, std::string operation, FileTransferOptions options)
{
    TransferPlan plan(true, std::move(to));
    if (options.verify)
        plan.hash = co_await detail::sha3_of(*end);
    FileService service(*end);
    co_await transfer(service, plan, operation, options.limit);
}

Task<> WorkContext::take(
    detail::ReceivingEnd& end, std::string from, const std::string& operation, FileTransferOptions options)
{
    const TransferPlan plan(false, std::move(from));
    FileService service(end);
    co_await transfer(service, plan, operation, options.limit);
    if (!end.is_finished())
        throw TransferError(
            TransferError::Kind::incomplete, operation, fs::path(),
            "the provider says that the transfer is done, but has not sent everything");
}

Task<> WorkContext::send_file(fs::path from, std::string to, FileTransferOptions options)
{
    std::string operation = "send file to " + to;
    check(to, operation);
    auto end = detail::make_sending_end(from, operation);
    co_await give(std::move(end), std::move(to), std::move(operation), options);
}

Task<> WorkContext::send_bytes(std::string bytes, std::string to, FileTransferOptions options)
{
    std::string operation = "send bytes to " + to;
    check(to, operation);
    auto end = detail::make_sending_end(std::move(bytes));
    co_await give(std::move(end), std::move(to), std::move(operation), options);
}

Task<> WorkContext::send_json(std::string json, std::string to, FileTransferOptions options)
{
    check_json(json, "send JSON to " + to, Errc::invalid_input);
    co_await send_bytes(std::move(json), std::move(to), options);
}

Task<> WorkContext::download_file(std::string from, fs::path to, FileTransferOptions options)
{
    const std::string operation = "download file " + from;
    check(from, operation);
    detail::ReceivedFile file(to, client_.gsb().new_id().substr(0, 12), options.largest, operation);
    co_await take(file, std::move(from), operation, options);
    file.commit();
}

Task<std::string> WorkContext::download_bytes(std::string from, FileTransferOptions options)
{
    const std::string operation = "download bytes of " + from;
    check(from, operation);
    detail::ReceivedBytes bytes(std::min(options.largest, most_bytes_in_memory), operation);
    co_await take(bytes, std::move(from), operation, options);
    co_return bytes.take();
}

Task<std::string> WorkContext::download_json(std::string from, FileTransferOptions options)
{
    const std::string operation = "download JSON of " + from;
    auto text = co_await download_bytes(std::move(from), options);
    check_json(text, operation, Errc::protocol);
    co_return text;
}

} // namespace golem
