// The REST API, and the page that uses it.
//
//   GET  /                   the page
//   GET  /getInstances       the user's instances
//   POST /createInstance     {"name": …, "params": {…}}
//   POST /stopInstance/<id>
//
// One user has ten instances at most (429); of those that have ended the latest fifty are listed.
// "Authorization: Bearer <Ethereum address>" names the user; nobody sees or stops the instances of others. It proves
// nothing: whoever knows an address is its user. Put something that checks in front of it before others can reach it.
#pragma once

#include "instance.hpp"
#include "page.hpp"

#include <golem/http/transport.hpp>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace erigon {

// On the manager's executor, as its services: nothing here needs a lock.
class Api : public golem::http::Handler {
public:
    explicit Api(golem::ServiceManager& manager) : manager_(manager) {}

    golem::Task<golem::http::Response> handle(const golem::http::Request& request) override
    {
        auto response = answer(request);
        // Any page may ask, as with the reference: whoever can reach the port can use the budget.
        response.headers().set("Access-Control-Allow-Origin", "*");
        if (request.method() == golem::http::Method::options) {
            response.headers().set("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
            response.headers().set("Access-Control-Allow-Headers", "Authorization, Content-Type");
            response.headers().set("Access-Control-Max-Age", "86400");
        }
        response.headers().set("Cache-Control", "no-store");
        co_return response;
    }

private:
    using Method = golem::http::Method;
    using Request = golem::http::Request;
    using Response = golem::http::Response;
    using Instances = std::vector<std::shared_ptr<Instance>>;

    static Response json(unsigned status, const Json& body) { return Response(status, write_json(body)); }

    static Response problem(unsigned status, std::string_view message)
    {
        Json body;
        body["msg"] = message;
        return json(status, body);
    }

    Response answer(const Request& request)
    {
        static constexpr std::string_view stop = "/stopInstance/";
        if (request.method() == Method::options)
            return Response(204);
        const auto path = request.target().substr(0, request.target().find('?'));
        if (path == "/")
            return is(request, Method::get) ? Response(200, page, "text/html; charset=utf-8") : wrong_method("GET");
        if (path == "/getInstances")
            return is(request, Method::get) ? for_user(request, &Api::list) : wrong_method("GET");
        if (path == "/createInstance")
            return is(request, Method::post) ? for_user(request, &Api::create) : wrong_method("POST");
        if (path.starts_with(stop))
            return is(request, Method::post) ? for_user(request, &Api::stop) : wrong_method("POST");
        return problem(404, "there is no " + path);
    }

    static bool is(const Request& request, Method method) { return request.method() == method; }

    static Response wrong_method(const char* allowed)
    {
        auto response = problem(405, std::string("only ") + allowed);
        response.headers().set("Allow", allowed);
        return response;
    }

    Response for_user(const Request& request, Response (Api::*action)(const Request&, Instances&))
    {
        const auto header = request.headers().get("Authorization");
        if (!header)
            return problem(400, "the header 'Authorization: Bearer <Ethereum address>' is missing");
        const auto user = address_in(*header);
        if (user.empty())
            return problem(400, "'Authorization' must be 'Bearer ' and an Ethereum address: 0x and 40 hex digits");
        // Who only looks leaves no trace.
        Instances none;
        const auto known = users_.find(user);
        if (known == users_.end() && action != &Api::create)
            return (this->*action)(request, none);
        return (this->*action)(request, users_[user]);
    }

    // In lower case; empty if there is none.
    static std::string address_in(std::string_view header)
    {
        static constexpr std::string_view scheme = "bearer 0x";
        std::string text(header);
        std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
        if (text.size() != scheme.size() + 40 || !text.starts_with(scheme))
            return {};
        const auto digits = text.substr(scheme.size());
        const auto is_hex = [](unsigned char c) { return std::isxdigit(c) != 0; };
        return std::all_of(digits.begin(), digits.end(), is_hex) ? digits : std::string();
    }

    Response list(const Request&, Instances& instances)
    {
        auto body = Json::array();
        for (const auto& instance : instances)
            body.push_back(instance->to_json());
        return json(200, body);
    }

    Response create(const Request& request, Instances& instances)
    {
        if (request.headers().get("X-Golem-Body-Size")) // Cut by the server.
            return problem(413, "the body is too large");
        const auto body = read_json(request.body());
        if (!body.is_object())
            return problem(400, "the body should be a JSON object");
        if (!body.contains("params"))
            return problem(400, "'params' key is required");
        const auto& params = body["params"];
        if (!params.is_object())
            return problem(400, "'params' should be an object");
        make_room(instances);
        if (std::ranges::count_if(instances, is_alive) >= most_alive)
            return problem(429, "you have " + std::to_string(most_alive) + " instances; stop one first");
        const auto name = body.value("name", Json("erigon"));
        if (!name.is_string())
            return problem(400, "'name' should be a string");
        golem::ServiceOptions options;
        options.start_args = {params.dump()};
        std::tuple about(name.get<std::string>(), params, manager_.time().utc());
        instances.push_back(manager_.create_service_as<Node, Instance>(std::move(about), options));
        return json(201, instances.back()->to_json());
    }

    static bool is_alive(const std::shared_ptr<Instance>& instance)
    {
        return !golem::is_final(instance->status().status);
    }

    // The oldest of those that have ended go.
    static void make_room(Instances& instances)
    {
        auto too_many = std::ssize(instances) - std::ranges::count_if(instances, is_alive) - most_ended;
        std::erase_if(
            instances, [&](const auto& instance) { return too_many > 0 && !is_alive(instance) && too_many-- > 0; });
    }

    Response stop(const Request& request, Instances& instances)
    {
        const auto path = request.target().substr(0, request.target().find('?'));
        const auto id = path.substr(path.rfind('/') + 1);
        const auto found = std::find_if(
            instances.begin(), instances.end(), [&](const auto& instance) { return instance->id() == id; });
        if (found == instances.end())
            return problem(404, "you have no instance '" + id + "'");
        (*found)->stop_at(manager_.time().utc());
        return json(200, (*found)->to_json());
    }

    // Of one user.
    static constexpr std::ptrdiff_t most_alive = 10;
    static constexpr std::ptrdiff_t most_ended = 50;

    golem::ServiceManager& manager_;
    std::map<std::string, Instances> users_;
};

} // namespace erigon
