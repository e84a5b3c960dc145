#include <golem/bus/detail/router.hpp>
#include <golem/core/error.hpp>

#include <tests/support/catch.hpp>

#include <sstream>

using namespace golem;
using namespace golem::bus::detail;

namespace {

std::string in_words(const std::vector<Delivery>& deliveries)
{
    std::ostringstream out;
    for (const auto& [to, message] : deliveries) {
        out << (out.tellp() > 0 ? "; " : "") << to << ": ";
        if (const auto* registered = std::get_if<Registered>(&message))
            out << "registered " << registered->code;
        else if (const auto* unregistered = std::get_if<Unregistered>(&message))
            out << "unregistered " << unregistered->code;
        else if (const auto* call = std::get_if<CallRequest>(&message))
            out << "call " << call->address << ' ' << call->id;
        else if (const auto* reply = std::get_if<CallReply>(&message))
            out << "reply " << reply->id << ' ' << reply->code << (reply->type ? " part " : " full ") << reply->body;
        else if (std::holds_alternative<Subscribed>(message))
            out << "subscribed";
        else if (const auto* unsubscribed = std::get_if<Unsubscribed>(&message))
            out << "unsubscribed " << unsubscribed->code;
        else if (const auto* news = std::get_if<Broadcast>(&message))
            out << "news " << news->topic << ' ' << news->body;
        else if (std::holds_alternative<Broadcasted>(message))
            out << "told";
        else if (std::holds_alternative<Pong>(message))
            out << "pong";
    }
    return out.str();
}

struct Rig {
    Router router;
    Instant now{};

    std::string operator()(PeerId from, Message message)
    {
        return in_words(router.receive(from, std::move(message), now));
    }
    std::string leave(PeerId peer) { return in_words(router.leave(peer)); }
};

CallRequest call(const std::string& address, const std::string& id, bool no_reply = false)
{
    return CallRequest{"me", address, id, "body", no_reply};
}

CallReply part(const std::string& id) { return CallReply{id, 0, type_part, "p"}; }
CallReply full(const std::string& id) { return CallReply{id, 0, type_full, "f"}; }

} // namespace

TEST_CASE("calls go to the longest prefix that ends at a slash")
{
    Rig rig;
    CHECK(rig(1, Register{"/net"}) == "1: registered 0");
    CHECK(rig(2, Register{"/net/0x2"}) == "2: registered 0");
    CHECK(rig(3, Register{"/net/0x2/deep/er"}) == "3: registered 0");
    const std::pair<const char*, const char*> rows[] = {
        {"/net/0x2/a", "2: call /net/0x2/a r"},
        {"/net/0x2", "2: call /net/0x2 r"},
        {"/net/0x2/deep/er/x", "3: call /net/0x2/deep/er/x r"},
        {"/net/0x2/deep/erx", "2: call /net/0x2/deep/erx r"},
        {"/net/0x22/a", "1: call /net/0x22/a r"},
        {"/network", "9: reply r 400 full endpoint address not found"},
        {"/", "9: reply r 400 full endpoint address not found"},
        {"", "9: reply r 400 full endpoint address not found"},
        {"net/0x2", "9: reply r 400 full endpoint address not found"},
    };
    for (const auto& [address, expected] : rows) {
        Rig copy = rig;
        CHECK(copy(9, call(address, "r")) == expected);
    }
}

TEST_CASE("replies find their callers, parts first, and unasked ones are dropped")
{
    Rig rig;
    rig(1, Register{"/a"});
    rig(2, call("/a/x", "r1"));
    rig(3, call("/a/x", "r2"));
    CHECK(rig(1, part("r1")) == "2: reply r1 0 part p");
    CHECK(rig(1, full("r2")) == "3: reply r2 0 full f");
    CHECK(rig(1, part("r1")) == "2: reply r1 0 part p");
    CHECK(rig(1, full("r1")) == "2: reply r1 0 full f");
    CHECK(rig(1, full("r1")) == "");
    CHECK(rig(1, part("r2")) == "");
    CHECK(rig(3, full("r9")) == "");
    CHECK(rig.router.calls() == 0);
}

TEST_CASE("a reply counts only from the one who was asked")
{
    Rig rig;
    rig(1, Register{"/a"});
    rig(2, call("/a/x", "r1"));
    CHECK(rig(3, full("r1")) == "");
    CHECK(rig(2, full("r1")) == "");
    CHECK(rig(1, full("r1")) == "2: reply r1 0 full f");
}

TEST_CASE("two callers may not share a request id at one service, but may at two")
{
    Rig rig;
    rig(1, Register{"/a"});
    rig(2, Register{"/b"});
    CHECK(rig(3, call("/a/x", "r")) == "1: call /a/x r");
    CHECK(rig(4, call("/a/x", "r")) == "4: reply r 400 full request id is in use");
    CHECK(rig(4, call("/b/x", "r")) == "2: call /b/x r");
    CHECK(rig(1, full("r")) == "3: reply r 0 full f");
    CHECK(rig(2, full("r")) == "4: reply r 0 full f");
}

TEST_CASE("a call without reply is passed on and forgotten")
{
    Rig rig;
    rig(1, Register{"/a"});
    CHECK(rig(2, call("/a/x", "r", true)) == "1: call /a/x r");
    CHECK(rig.router.calls() == 0);
    CHECK(rig(1, full("r")) == "");
    // An answer that nobody waits for would end the caller's connection.
    CHECK(rig(2, call("/none", "r", true)) == "");
}

TEST_CASE("calls that are never answered are forgotten, but no stream that goes on")
{
    Rig rig;
    rig(1, Register{"/a"});
    rig(2, call("/a/x", "lost"));
    rig(2, call("/a/x", "stream"));
    for (int part_number = 0; part_number < 3; ++part_number) {
        rig.now += std::chrono::minutes(59);
        CHECK(rig(1, part("stream")) == "2: reply stream 0 part p");
    }
    CHECK(rig.router.calls() == 2);
    rig(2, call("/a/x", "new"));
    CHECK(rig.router.calls() == 2);
    CHECK(rig(1, full("lost")) == "");
    CHECK(rig(1, full("stream")) == "2: reply stream 0 full f");
    CHECK(rig(1, full("new")) == "2: reply new 0 full f");
}

TEST_CASE("prefixes belong to one peer")
{
    Rig rig;
    CHECK(rig(1, Register{"/a"}) == "1: registered 0");
    CHECK(rig(2, Register{"/a"}) == "2: registered 409");
    CHECK(rig(1, Register{"/a"}) == "1: registered 409");
    CHECK(rig(2, Unregister{"/a"}) == "2: unregistered 404");
    CHECK(rig(1, Unregister{"/a"}) == "1: unregistered 0");
    CHECK(rig(1, Unregister{"/a"}) == "1: unregistered 404");
    CHECK(rig(2, Register{"/a"}) == "2: registered 0");
    for (const auto* bad : {"", "/", "a", "/a/"})
        CHECK(rig(2, Register{bad}) == "2: registered 400");
}

TEST_CASE("broadcasts reach those who subscribed, then their sender is told")
{
    Rig rig;
    CHECK(rig(1, Subscribe{"t"}) == "1: subscribed");
    CHECK(rig(2, Subscribe{"t"}) == "2: subscribed");
    rig(2, Subscribe{"t"});
    CHECK(rig(2, Broadcast{"me", "b", "t"}) == "1: news t b; 2: news t b; 2: told");
    CHECK(rig(3, Broadcast{"me", "b", "t"}) == "1: news t b; 2: news t b; 3: told");
    CHECK(rig(3, Broadcast{"me", "b", "u"}) == "3: told");
    CHECK(rig(1, Unsubscribe{"t"}) == "1: unsubscribed 0");
    CHECK(rig(1, Unsubscribe{"t"}) == "1: unsubscribed 404");
    CHECK(rig.leave(2) == "");
    CHECK(rig(3, Broadcast{"me", "b", "t"}) == "3: told");
}

TEST_CASE("a peer that leaves fails the calls to it, and its own are forgotten")
{
    Rig rig;
    rig(1, Register{"/a"});
    rig(1, Register{"/b"});
    rig(2, Register{"/c"});
    rig(2, call("/a/x", "r1"));
    rig(3, call("/b/x", "r2"));
    rig(1, call("/c/x", "r3"));
    rig(1, call("/a/self", "r4"));
    CHECK(rig.leave(1) == "2: reply r1 500 full lost connection; 3: reply r2 500 full lost connection");
    CHECK(rig(2, full("r3")) == "");
    CHECK(rig(2, call("/a/x", "r5")) == "2: reply r5 400 full endpoint address not found");
    CHECK(rig(3, Register{"/a"}) == "3: registered 0");
    CHECK(rig.router.calls() == 0);
}

TEST_CASE("the rest of the protocol")
{
    Rig rig;
    CHECK(rig(1, Hello{"n", "v", "i"}) == "");
    CHECK(rig(1, Ping()) == "1: pong");
    CHECK(rig(1, Pong()) == "");
    CHECK(rig(1, Broadcasted()) == "");
    for (const auto& message :
         {Message(Registered()), Message(Unregistered()), Message(Subscribed()), Message(Unsubscribed())})
        CHECK_THROWS_AS(rig(1, message), Error);
}
