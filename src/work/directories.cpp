// Directories to a machine and back, file by file, so that each is verified by its own digest and the failure of one is
// named. Exe-units know archives as well (TransferOptions::format).
#include <golem/work/detail/received_ranges.hpp>
#include <golem/work/work_context.hpp>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace golem {

namespace {

namespace fs = std::filesystem;
using Kind = TransferError::Kind;

[[noreturn]] void fail(const std::string& operation, const fs::path& path, const std::string& explanation)
{
    throw TransferError(Kind::local_file, operation, path, explanation);
}

// Relative to the directory, in order.
std::vector<fs::path> files_below(const fs::path& directory, const std::string& operation)
{
    std::vector<fs::path> files;
    try {
        for (const auto& entry : fs::recursive_directory_iterator(directory)) {
            if (entry.is_regular_file())
                files.push_back(entry.path().lexically_relative(directory));
            else if (entry.is_symlink() || !entry.is_directory())
                fail(operation, entry.path(), "it is neither a file nor a directory");
        }
    } catch (const fs::filesystem_error& error) {
        fail(operation, directory, error.code().message());
    }
    std::sort(files.begin(), files.end());
    return files;
}

// Becomes the target, or goes.
class GrowingDirectory {
public:
    GrowingDirectory(const fs::path& target, const std::string& tag, std::string operation)
        : target_(target.has_filename() ? target : target.parent_path()), operation_(std::move(operation))
    {
        std::error_code error;
        const bool is_there = fs::exists(target_, error);
        if (is_there && (!fs::is_directory(target_, error) || !fs::is_empty(target_, error)))
            fail(operation_, target_, "it is there already, and not an empty directory");
        path_ = target_;
        path_.replace_filename("." + target_.filename().string().substr(0, 200) + "." + tag + ".part");
        if (!fs::create_directory(path_, error))
            fail(operation_, target_, error.message());
    }

    ~GrowingDirectory()
    {
        std::error_code ignored; // There is nobody to tell, and the transfer's own failure tells more.
        if (!committed_)
            fs::remove_all(path_, ignored);
    }

    GrowingDirectory(const GrowingDirectory&) = delete;
    GrowingDirectory& operator=(const GrowingDirectory&) = delete;

    fs::path place_for(const std::string& name) const
    {
        auto place = path_ / name;
        std::error_code error;
        fs::create_directories(place.parent_path(), error);
        if (error)
            fail(operation_, target_, error.message());
        return place;
    }

    void commit()
    {
        std::error_code error;
        fs::rename(path_, target_, error);
        if (error)
            fail(operation_, target_, error.message());
        committed_ = true;
    }

private:
    fs::path target_;
    fs::path path_;
    std::string operation_;
    bool committed_ = false;
};

// Names as `find . -print0` tells them.
std::vector<std::string> told_names(const std::string& text, const std::string& operation)
{
    std::vector<std::string> names;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\0', at), text.size());
        auto name = text.substr(at, end - at);
        if (name.starts_with("./"))
            name.erase(0, 2);
        if (const auto* problem = detail::told_name_problem(name))
            throw Error(Errc::protocol, operation, std::string("the machine told ") + problem + ": " + name);
        names.push_back(std::move(name));
        at = end + 1;
    }
    std::sort(names.begin(), names.end());
    return names;
}

} // namespace

Task<> WorkContext::send_directory(fs::path from, std::string to, FileTransferOptions options)
{
    const auto files = files_below(from, "send directory to " + to);
    for (const auto& file : files)
        co_await send_file(from / file, to + "/" + file.generic_string(), options);
}

Task<> WorkContext::download_directory(std::string from, fs::path to, FileTransferOptions options)
{
    const std::string operation = "download directory " + from;
    if (const auto* problem = detail::machine_path_problem(from))
        throw Error(Errc::invalid_input, operation, problem);
    GrowingDirectory directory(to, client_.gsb().new_id().substr(0, 12), operation);
    const auto listing = co_await run("/bin/sh", "-c", "cd \"$0\" && find . -type f -print0", from);
    const auto names = told_names(listing.out, operation);
    auto left = options;
    for (const auto& name : names) {
        const auto place = directory.place_for(name);
        co_await download_file(from + "/" + name, place, left);
        std::error_code error;
        const auto size = fs::file_size(place, error);
        left.largest -= error ? 0 : std::min<std::uint64_t>(size, left.largest);
    }
    directory.commit();
}

} // namespace golem
