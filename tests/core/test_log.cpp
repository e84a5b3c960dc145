#include <golem/core/error.hpp>
#include <golem/core/log.hpp>
#include <golem/core/redactor.hpp>

#include <tests/support/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

using namespace golem;
namespace fs = std::filesystem;

namespace {

class Lines {
public:
    Logger logger(LogLevel level = LogLevel::trace)
    {
        return Logger(
            [this](LogLevel at, std::string_view line) {
                text_ += std::string(to_string(at)) + ": " + std::string(line) + "\n";
            },
            level);
    }

    const std::string& text() const { return text_; }

private:
    std::string text_;
};

class TemporaryFolder {
public:
    TemporaryFolder()
    {
        auto name = (fs::temp_directory_path() / "golem-log-XXXXXX").string();
        if (!mkdtemp(name.data()))
            throw std::runtime_error("no temporary folder");
        path_ = name;
    }

    ~TemporaryFolder() { fs::remove_all(path_); }

    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

std::string content(const fs::path& path)
{
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

// Tells whether it was put together.
struct Probe {
    bool& used;
};

void append_to(std::string& line, const Probe& probe)
{
    probe.used = true;
    line += "probe";
}

} // namespace

TEST_CASE("lines are put together from strings and numbers, with tags in front")
{
    Lines lines;
    const auto log = lines.logger();
    const std::string name = "clock";
    log.with_tag("market").with_tag(name).info("demand ", 3, " of ", 2.5, ' ', true, " ", std::string_view("done"));
    log.error("plain");
    CHECK(lines.text() == "info: [market] [clock] demand 3 of 2.5 true done\nerror: plain\n");
}

TEST_CASE("a line below the level is not even put together")
{
    Lines lines;
    const auto log = lines.logger(LogLevel::warning);
    bool used = false;
    log.info(Probe{used});
    CHECK(!used);
    CHECK(!log.enabled(LogLevel::info));
    CHECK(!log.enabled(LogLevel::off));
    log.warning(Probe{used});
    CHECK(used);

    // A copy shares the level.
    const auto copy = log.with_tag("copy");
    copy.set_level(LogLevel::off);
    log.error("unheard");
    CHECK(lines.text() == "warning: probe\n");
    Logger().error("to nobody");
}

TEST_CASE("secrets reach no sink")
{
    Lines lines;
    const auto log = lines.logger();
    const auto tagged = log.with_tag("0123abcd");
    log.add_secret("0123abcd");
    log.add_secret("0123abcdef"); // Longer, though told later.
    log.add_secret("");
    tagged.info("key 0123abcd, again 0123abcd; 0123abcdef");
    log.info("GET http://127.0.0.1:7465/me?authToken=deadbeef&x=1");
    log.info("AUTHTOKEN=a, (authToken=b)");
    log.info("Authorization: Bearer s3cr3t=, \"bearer other\"");
    log.info("a line\nforged\r\x1b[31m");
    CHECK(
        lines.text() == "info: [***] key ***, again ***; ***\n"
                        "info: GET http://127.0.0.1:7465/me?authToken=***&x=1\n"
                        "info: AUTHTOKEN=***, (authToken=***)\n"
                        "info: Authorization: Bearer ***, \"bearer ***\"\n"
                        "info: a line forged  [31m\n");
}

TEST_CASE("redaction of what is almost a secret ends, and changes nothing")
{
    Redactor redactor;
    redactor.add("*");
    CHECK(redactor.redact("a*b") == "a***b");
    CHECK(Redactor().redact("authToken=") == "authToken=");
    CHECK(Redactor().redact("authToken=&Bearer ") == "authToken=&Bearer ");
    CHECK(Redactor().redact("authTokenauthToken=authToken=x") == "authTokenauthToken=***");
    CHECK(Redactor().redact("") == "");
}

TEST_CASE("a log file is written, level by level, and rotated")
{
    const TemporaryFolder folder;
    LogOptions options;
    options.path = folder.path() / "golem.log";
    options.max_size = 1024;
    options.max_files = 2;
    {
        const auto log = make_logger(options);
        log.add_secret("topsecret");
        log.debug("too fine");
        log.warning("with topsecret inside");
        const auto text = content(options.path);
        CHECK_THAT(text, golem::test::contains_text("Z warning with *** inside\n"));
        CHECK_THAT(text, !golem::test::contains_text("too fine"));
        for (int count = 0; count < 100; ++count)
            log.info("a line that fills the file, number ", count);
    }
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(folder.path())) {
        ++files;
        CHECK(entry.file_size() <= 1024);
    }
    CHECK(files == 3);
    CHECK_THAT(content(options.path), golem::test::contains_text("number 99"));
}

TEST_CASE("a log that cannot be opened is refused by name")
{
    const TemporaryFolder folder;
    std::ofstream(folder.path() / "file") << "in the way";
    LogOptions options;
    options.path = folder.path() / "file" / "golem.log";
    try {
        make_logger(options);
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(error.errc() == Errc::invalid_input);
        CHECK_THAT(error.what(), golem::test::contains_text(options.path.string()));
    }
    options.path = folder.path() / "golem.log";
    options.max_size = 10;
    CHECK_THROWS_WITH(
        make_logger(options), golem::test::contains_text("LogOptions::max_size is 10, but must be at least 1024"));
    options.max_size = 1024;
    options.max_files = 0;
    CHECK_THROWS_WITH(
        make_logger(options), golem::test::contains_text("LogOptions::max_files is 0, but must be 1 to 1000"));
}

TEST_CASE("threads may share a log")
{
    int lines = 0; // Not atomic: the log hands lines over one at a time.
    const Logger log([&](LogLevel, std::string_view) { ++lines; });
    std::vector<std::thread> threads;
    for (int count = 0; count < 4; ++count)
        threads.emplace_back([&log, count] {
            for (int line = 0; line < 250; ++line) {
                log.info("line ", line);
                if (line % 50 == 0)
                    log.add_secret("secret " + std::to_string(count * 1000 + line));
            }
        });
    for (auto& thread : threads)
        thread.join();
    CHECK(lines == 1000);
}
