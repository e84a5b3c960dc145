#include <golem/devnet/rest_face.hpp>

#include <devnet/rest_call.hpp>

#include <golem/core/error.hpp>
#include <golem/http/stream.hpp>
#include <golem/http/websocket.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <utility>

namespace golem::devnet {

namespace {

using detail::answer;
using detail::Call;
using detail::Json;

constexpr auto plain_text = "text/plain; charset=utf-8";

http::Response version()
{
    Json current;
    current["version"] = "0.17.6";
    current["name"] = "(a98d28015 2026-03-13)";
    current["seen"] = true;
    current["releaseTs"] = "2015-10-13T15:43:00";
    current["insertionTs"] = "2026-03-13T00:00:00";
    current["updateTs"] = "2026-03-13T00:00:00";
    Json body;
    body["current"] = std::move(current);
    body["pending"] = nullptr;
    return answer(200, body);
}

http::Response me(const Call& call)
{
    Json body;
    body["identity"] = call.node;
    body["name"] = "autoconfigured";
    body["role"] = "manager";
    return answer(200, body);
}

http::Response health(const Call&)
{
    Json body;
    body["status"] = "ok";
    return answer(200, body);
}

bool needs_no_key(const std::string& path)
{
    return path == "/version/get" || path == "/v1/image/info" || path == "/dashboard" ||
           path.starts_with("/metrics-api/");
}

// Fills in the caller's node; or says why there is none.
std::optional<http::Response> authenticate(Call& call)
{
    std::optional<std::string> key;
    if (const auto header = call.request.headers().get("Authorization"); header && header->starts_with("Bearer "))
        key = std::string(header->substr(7));
    if (key && key->empty())
        key.reset();
    else if (!key)
        key = call.query.text("authToken");
    if (!key)
        return http::Response(401, "Missing application key", plain_text);
    const auto node = call.host.world().node_of_key(*key);
    if (!node)
        return http::Response(401, "Invalid application key", plain_text);
    call.node = *node;
    return std::nullopt;
}

bool is_preflight(const http::Request& request)
{
    return request.method() == http::Method::options && request.headers().get("Access-Control-Request-Method");
}

constexpr auto all_methods = "GET, POST, PUT, DELETE, HEAD, OPTIONS, PATCH, TRACE, CONNECT";

bool is_listed(std::string_view word, const std::string& list)
{
    return (", " + list + ",").find(", " + std::string(word) + ",") != std::string::npos;
}

// The request's origin, if its pages may call.
std::optional<std::string> allowed_origin(const http::Request& request, const DevnetOptions& options)
{
    const auto origin = request.headers().get("Origin");
    if (!origin)
        return std::nullopt;
    for (const auto& allowed : options.allow_origins) {
        if (allowed == "*" || allowed == *origin)
            return std::string(*origin);
    }
    return std::nullopt;
}

// What browsers ask before a page's request; no key is needed for it, nor a path that exists.
std::optional<http::Response> preflight(const Call& call)
{
    if (!is_preflight(call.request))
        return std::nullopt;
    const auto& headers = call.request.headers();
    std::string complaint;
    if (!headers.get("Origin"))
        complaint = "Request header `Origin` is required but was not provided";
    else if (!allowed_origin(call.request, call.host.options()))
        complaint = "Origin is not allowed to make this request";
    else if (!is_listed(*headers.get("Access-Control-Request-Method"), all_methods))
        complaint = "Requested method is not allowed";
    if (!complaint.empty()) {
        http::Response response(400, complaint, plain_text);
        response.headers().remove("Content-Type");
        return response;
    }
    http::Response response(200);
    response.headers().set("access-control-allow-methods", all_methods);
    response.headers().set("access-control-max-age", "3600");
    if (const auto wanted = headers.get("Access-Control-Request-Headers"))
        response.headers().set("access-control-allow-headers", std::string(*wanted));
    return response;
}

http::Response finished(http::Response response, const http::Request& request, const DevnetOptions& options)
{
    const bool is_refused_preflight = is_preflight(request) && response.status() == 400;
    if (response.status() == 401 || is_refused_preflight)
        return response;
    response.headers().set("vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
    if (const auto origin = allowed_origin(request, options))
        response.headers().set("access-control-allow-origin", *origin);
    return response;
}

// What is decided before a route waits: the answer, or the route that gives it.
struct Decision {
    std::optional<http::Response> response;
    const detail::Routes::Route* route = nullptr;
};

Decision decide(const detail::Routes& routes, Call& call)
{
    Decision decision;
    decision.response = preflight(call);
    if (!decision.response && !needs_no_key(call.path))
        decision.response = authenticate(call);
    if (decision.response)
        return decision;
    if (call.path == "/version/get" && call.request.method() == http::Method::get) {
        decision.response = version();
        return decision;
    }
    if (call.path == "/dashboard") {
        decision.response = http::Response(404, "404 Not Found", plain_text);
        decision.response->headers().remove("Content-Type");
        return decision;
    }
    decision.route = routes.find(call);
    if (!decision.route)
        decision.response = http::Response(404);
    else if (decision.route->plain)
        decision.response = decision.route->plain(call);
    return decision;
}

Task<http::Response> carry_out(const detail::Routes& routes, Call& call)
{
    auto decision = decide(routes, call);
    if (decision.response)
        co_return std::move(*decision.response);
    auto response = co_await decision.route->waiting(call);
    co_return response;
}

// What a route refuses is its answer; what it does not expect must not look like a broken connection.
http::Response answer_to(const std::exception_ptr& failure, const Call& call, const Logger& log)
{
    if (is_cancelled(failure))
        std::rethrow_exception(failure);
    try {
        std::rethrow_exception(failure);
    } catch (const detail::Refused& refused) {
        return answer(refused.failure);
    } catch (...) {
        const auto text = describe(failure);
        log.error("the devnet failed at ", http::to_string(call.request.method()), " ", call.path, ": ", text);
        return answer(Failure(500, "Internal error: " + text));
    }
}

Task<http::Response> answer_of(const detail::Routes& routes, Call& call, const Logger& log)
{
    std::exception_ptr failure;
    try {
        auto response = co_await carry_out(routes, call);
        co_return response;
    } catch (...) {
        failure = std::current_exception();
    }
    co_return answer_to(failure, call, log);
}

void spoil(const Fault& fault, http::Response& response)
{
    if (fault.kind() == Fault::Kind::garbage)
        response.body() = "<html><body>Bad gateway";
    if (fault.kind() == Fault::Kind::truncate)
        response.body().resize(response.body().size() / 2);
}

[[noreturn]] void break_connection()
{
    throw http::TransportError(
        Errc::closed, "call the devnet", "the connection broke, as a test wanted", http::TransportError::Sent::unknown);
}

} // namespace

RestFace::RestFace(Host& host, Logger log)
    : host_(host), log_(std::move(log)), routes_(std::make_unique<detail::Routes>()), idle_(host.executor())
{
    idle_.set();
    routes_->add(http::Method::get, "/me", me);
    routes_->add(http::Method::get, "/healthcheck", health);
    detail::add_market_routes(*routes_);
    detail::add_agreement_routes(*routes_);
    detail::add_activity_routes(*routes_);
    detail::add_allocation_routes(*routes_);
    detail::add_document_routes(*routes_);
    detail::add_net_routes(*routes_);
    detail::add_gsb_routes(*routes_);
    detail::add_payment_routes(*routes_);
    detail::add_image_routes(*routes_);
}

RestFace::~RestFace() = default;

// Counts a request as long as it is being handled.
class RestFace::Active {
public:
    explicit Active(RestFace& face) : face_(face)
    {
        ++face_.active_;
        face_.idle_.reset();
    }

    ~Active()
    {
        if (--face_.active_ == 0)
            face_.idle_.set();
    }

    Active(const Active&) = delete;
    Active& operator=(const Active&) = delete;

private:
    RestFace& face_;
};

// A stream is being handled while it makes a piece; a reader who does not read keeps nobody waiting.
class RestFace::CountedSource final : public http::BodySource {
public:
    CountedSource(RestFace& face, std::shared_ptr<http::BodySource> inner) : face_(face), inner_(std::move(inner)) {}

    Task<std::optional<std::string>> next() override
    {
        const Active active(face_);
        auto piece = co_await inner_->next();
        co_return piece;
    }

private:
    RestFace& face_;
    std::shared_ptr<http::BodySource> inner_;
};

// A websocket is being handled as long as it is open.
class RestFace::CountedService final : public http::WebSocketService {
public:
    CountedService(RestFace& face, std::shared_ptr<http::WebSocketService> inner)
        : face_(face), inner_(std::move(inner))
    {
    }

    Task<> serve(http::WebSocket& socket) override
    {
        const Active active(face_);
        co_await inner_->serve(socket);
    }

    std::size_t message_limit() const noexcept override { return inner_->message_limit(); }

private:
    RestFace& face_;
    std::shared_ptr<http::WebSocketService> inner_;
};

Task<> RestFace::wait_until_idle() { return idle_.wait(); }

Task<http::Response> RestFace::handle(const http::Request& request)
{
    const Active active(*this);
    if (host_.is_closed())
        throw boost::system::system_error(boost::asio::error::operation_aborted);
    const std::string_view target = request.target();
    const auto mark = target.find('?');
    Call call(request, host_, mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1));
    call.path = std::string(target.substr(0, mark));
    call.is_market = call.path.starts_with("/market-api/");

    const auto fault = faults_.take(request.method(), call.path);
    Duration delay = host_.options().latency;
    if (fault && fault->kind() == Fault::Kind::delay)
        delay += fault->duration();
    if (delay > Duration(0))
        co_await host_.sleep_until(host_.time().deadline(delay));
    if (fault && fault->kind() == Fault::Kind::hang)
        co_await host_.sleep_until(Instant::max());
    if (fault && fault->kind() == Fault::Kind::drop && !fault->is_carried_out())
        break_connection();
    if (fault && fault->kind() == Fault::Kind::answer) {
        http::Response instead(fault->status(), fault->body(), fault->content_type());
        co_return finished(std::move(instead), request, host_.options());
    }

    auto response = co_await answer_of(*routes_, call, log_);
    if (response.source())
        response.set_source(std::make_shared<CountedSource>(*this, response.source()));
    if (response.websocket())
        response.set_websocket(std::make_shared<CountedService>(*this, response.websocket()));
    host_.settle();
    host_.note(
        call.node.empty() ? "nobody" : call.node,
        std::string(http::to_string(request.method())) + " " + call.path + " " + std::to_string(response.status()));
    if (fault && fault->kind() == Fault::Kind::drop)
        break_connection();
    if (fault)
        spoil(*fault, response);
    co_return finished(std::move(response), request, host_.options());
}

} // namespace golem::devnet
