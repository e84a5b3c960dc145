#include <bus/link.hpp>

#include <golem/core/error.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <utility>

namespace golem::bus {

namespace asio = boost::asio;
using boost::system::error_code;
using boost::system::system_error;

namespace {

constexpr std::size_t read_size = 64 * 1024;

} // namespace

Link::Link(Socket socket, std::size_t largest_message, std::size_t most_unsent)
    : socket_(std::move(socket)), frames_(largest_message), most_unsent_(most_unsent), input_(read_size, '\0'),
      output_(socket_.get_executor()), room_(socket_.get_executor()), drained_(socket_.get_executor())
{
    error_code ignored; // Unix sockets have no such thing; without it messages are only slower.
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    room_.set();
    drained_.set();
}

Task<std::optional<detail::Message>> Link::read()
{
    for (;;) {
        auto message = frames_.next();
        if (message)
            co_return message;
        const auto space = asio::buffer(input_);
        auto [error, count] = co_await socket_.async_read_some(space, asio::as_tuple(asio::deferred));
        if (error == asio::error::eof && !frames_.is_inside())
            co_return std::nullopt;
        if (error)
            throw system_error(error);
        frames_.feed(std::string_view(input_).substr(0, count));
    }
}

Task<> Link::write()
{
    while (!closed_) {
        if (queue_.empty()) {
            co_await output_.wait();
            output_.reset();
            continue;
        }
        std::string batch;
        batch.swap(queue_);
        const auto bytes = asio::buffer(batch);
        auto [error, count] = co_await asio::async_write(socket_, bytes, asio::as_tuple(asio::deferred));
        if (error)
            throw system_error(error);
        unsent_ -= count;
        if (unsent_ < most_unsent_)
            room_.set();
        if (unsent_ == 0)
            drained_.set();
    }
}

void Link::send(const detail::Message& message)
{
    if (closed_)
        return;
    const auto frame = detail::encode_frame(message);
    queue_ += frame;
    unsent_ += frame.size();
    if (unsent_ >= most_unsent_)
        room_.reset();
    drained_.reset();
    output_.set();
}

void Link::close()
{
    if (std::exchange(closed_, true))
        return;
    error_code ignored; // There is nobody to tell, and nothing to do about it.
    socket_.shutdown(Socket::shutdown_both, ignored);
    socket_.close(ignored);
    output_.set();
    room_.set();
    drained_.set();
}

} // namespace golem::bus
