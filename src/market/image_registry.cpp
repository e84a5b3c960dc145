#include <golem/market/image_registry.hpp>

#include <golem/core/error.hpp>
#include <golem/core/retry.hpp>
#include <golem/http/client.hpp>
#include <golem/properties/json_text.hpp>

#include <exception>
#include <limits>
#include <optional>
#include <utility>

namespace golem {

namespace {

const std::string operation = "look up an image";
constexpr std::size_t most_words = 200;
constexpr std::size_t answer_limit = 64 * 1024;

// Ours, not the daemon's: advice on the daemon would lead astray.
Error explained(const http::TransportError& failure, const std::string& url)
{
    std::string text = failure.explanation();
    // The transport's advice is for daemons.
    if (const auto advice = text.find(": start the daemon"); advice != std::string::npos)
        text.resize(advice);
    if (const auto advice = text.find(": correct YAGNA_API_URL"); advice != std::string::npos)
        text.resize(advice);
    Error error(
        failure.errc(), operation,
        "the registry at " + url + " cannot be asked (" + text +
            "); correct RegistryOptions::url or GOLEM_REGISTRY_URL, or give the image's hash and URL yourself");
    error.set_transient(failure.is_transient());
    return error;
}

std::string shortened(std::string text)
{
    if (text.size() > most_words)
        text.resize(most_words);
    return text;
}

// The image's hash and address, or why there are none.
struct Finding {
    std::string hash;
    std::string url;
    std::optional<Error> failure;
};

Finding read(const http::Response& response, const std::string& image, const RegistryOptions& options)
{
    Finding finding;
    const auto fail = [&](Errc code, const std::string& text, bool transient) {
        finding.failure.emplace(code, operation, text);
        finding.failure->set_transient(transient);
        if (!response.body().empty())
            finding.failure->set_their_words(shortened(response.body()));
        return finding;
    };
    const auto status = response.status();
    if (status == 404)
        return fail(
            Errc::not_found,
            "the registry at " + options.url + " does not know \"" + image +
                "\": look for a mistake in it; a tag is \"user/name:version\"",
            false);
    if (status >= 500 || status == 429)
        return fail(
            Errc::daemon_failed,
            "the registry at " + options.url + " has a failure of its own (" + std::to_string(status) + ")", true);
    if (status >= 300 && status < 400)
        return fail(
            Errc::protocol,
            "the registry at " + options.url + " sends us elsewhere (" +
                std::string(response.headers().get("Location").value_or("nowhere")) + "): correct RegistryOptions::url",
            false);
    if (!response.is_success())
        return fail(
            Errc::refused,
            "the registry at " + options.url + " refuses to tell of \"" + image + "\" (" + std::to_string(status) + ")",
            false);
    try {
        const auto properties = properties::parse_properties(response.body());
        finding.hash = properties.get_string("sha3").value_or(std::string());
        finding.url = properties.get_string(options.https_images ? "https" : "http").value_or(std::string());
        vm_image(finding.hash, finding.url);
    } catch (const Error&) {
        return fail(
            Errc::protocol,
            "the answer of " + options.url + " has no hash and URL of \"" + image + "\": is it an image registry?",
            false);
    }
    return finding;
}

} // namespace

struct ImageRegistry::Image {
    Image(const Executor& executor, std::string its_name) : name(std::move(its_name)), known(executor) {}

    std::string name;
    std::string hash;
    std::string url;
    Event known; // One way or the other.
    bool asking = false;
    std::exception_ptr failure;
};

ImageRegistry::ImageRegistry(
    const Executor& executor, TimeSource& time, Random random, Logger log, const RegistryOptions& options,
    Daemon::MakeTransport make_transport)
    : executor_(executor), time_(time), random_(std::move(random)), log_(log.with_tag("registry")), options_(options),
      make_transport_(std::move(make_transport))
{
    const auto refuse = [](const char* member) {
        throw Error(
            Errc::invalid_input, "set up the registry",
            std::string("RegistryOptions::") + member + " must be more than zero");
    };
    if (options_.patience <= Duration::zero())
        refuse("patience");
    if (options_.limit <= Duration::zero())
        refuse("limit");
    if (options_.url.empty())
        options_.url = make_transport_ ? "devnet" : default_registry;
    if (make_transport_)
        return;
    const auto url = http::Url::parse(options_.url);
    options_.url = url.to_string();
    http::ClientOptions client;
    client.tls = options_.tls;
    make_transport_ = [url, client](const Executor& on, TimeSource& clock) {
        return http::make_transport(on, clock, url, client);
    };
}

ImageRegistry::~ImageRegistry() { close(); }

void ImageRegistry::close() noexcept
{
    if (transport_)
        transport_->close();
}

Task<Payload> ImageRegistry::resolve(const Payload& payload)
{
    Payload resolved = payload;
    const auto name = payload.image_to_resolve();
    if (name.empty())
        co_return resolved;
    auto& entry = images_[name];
    if (!entry)
        entry = std::make_shared<Image>(executor_, name);
    const auto image = entry;
    while (image->hash.empty()) {
        if (!image->asking) {
            co_await look_up(image);
            continue;
        }
        co_await image->known.wait();
        if (image->failure)
            std::rethrow_exception(image->failure);
    }
    resolved.image(image->hash, image->url);
    co_return resolved;
}

// Who asks first asks for all. If it is interrupted, one of the others takes over.
Task<> ImageRegistry::look_up(std::shared_ptr<Image> image)
{
    image->asking = true;
    image->known.reset();
    image->failure = nullptr;
    std::exception_ptr failure;
    try {
        co_await ask(*image);
    } catch (...) {
        failure = std::current_exception();
    }
    image->asking = false;
    if (failure && !is_cancelled(failure))
        image->failure = failure;
    image->known.set();
    if (failure)
        std::rethrow_exception(failure);
}

Task<> ImageRegistry::ask(Image& image)
{
    if (!transport_)
        transport_ = make_transport_(executor_, time_);
    std::string target = "/v1/image/info?";
    target += is_image_hash(image.name) ? "hash=" : "tag=";
    target += http::percent_encode(image.name);
    target += options_.count ? "&count=true" : "";
    http::Request request(http::Method::get, target);
    request.set_limit(options_.limit);
    request.set_response_limit(answer_limit);
    RetryPolicy policy;
    policy.max_elapsed = options_.patience;
    policy.max_attempts = std::numeric_limits<int>::max();
    Backoff pause(policy, Random(random_.next()));
    FailedAttempt attempt;
    attempt.attempts = 0;
    const auto begun = time_.now();
    for (;;) {
        std::optional<Error> failure;
        try {
            const auto response = co_await transport_->send(request);
            auto finding = read(response, image.name, options_);
            image.hash = std::move(finding.hash);
            image.url = std::move(finding.url);
            failure = std::move(finding.failure);
        } catch (const http::TransportError& error) {
            failure.emplace(explained(error, options_.url));
        }
        if (!failure) {
            log_.debug(image.name, " is ", image.hash, " at ", image.url);
            co_return;
        }
        image.hash.clear();
        ++attempt.attempts;
        attempt.elapsed = time_.now() - begun;
        attempt.transient = failure->is_transient();
        const auto decision = decide_retry(policy, attempt, Idempotency::repeatable);
        if (!decision) {
            failure->set_gave_up(decision.reason, decision.detail);
            throw *failure;
        }
        const auto delay = pause.next();
        log_.info(failure->what(), "; asking again");
        co_await time_.sleep_for(delay, "before asking the registry again");
    }
}

} // namespace golem
