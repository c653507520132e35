#include "files.hpp"

#include "mastra/error.hpp"
#include "windows_api.hpp"

namespace mastra::files {
namespace {

HANDLE raw(Handle file) noexcept { return reinterpret_cast<HANDLE>(file); }

Handle open_as(const std::string& path, DWORD how) {
  return reinterpret_cast<Handle>(CreateFileW(wide(path).c_str(), GENERIC_READ | GENERIC_WRITE, kShareAll, nullptr, how,
                                              FILE_ATTRIBUTE_NORMAL, nullptr));
}

bool move(const std::wstring& from, const std::wstring& to) noexcept {
  return MoveFileExW(from.c_str(), to.c_str(), MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) != 0;
}

}  // namespace

void fail(const std::string& path, const char* what) {
  const DWORD code = GetLastError();
  char text[256] = "";
  const DWORD flags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS;
  DWORD size = FormatMessageA(flags, nullptr, code, MAKELANGID(LANG_ENGLISH, SUBLANG_DEFAULT), text, sizeof text, nullptr);
  while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r' || text[size - 1] == '.')) --size;
  const std::string why = size > 0 ? std::string(text, size) : "error " + std::to_string(code);
  throw Error(code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND ? ErrorCode::kNotFound : ErrorCode::kIo,
              std::string(what) + " " + path + ": " + why + ".");
}

bool exists(const std::string& path) { return GetFileAttributesW(wide(path).c_str()) != INVALID_FILE_ATTRIBUTES; }

Handle create(const std::string& path) {
  const Handle file = open_as(path, CREATE_ALWAYS);
  if (file == kNoFile) fail(path, "Cannot create");
  return file;
}

Handle open(const std::string& path) noexcept { return open_as(path, OPEN_EXISTING); }

void write_all(Handle file, const std::string& path, const void* data, std::size_t bytes) {
  const auto* at = static_cast<const std::uint8_t*>(data);
  while (bytes > 0) {
    const auto part = static_cast<DWORD>(bytes < (1U << 30U) ? bytes : 1U << 30U);
    DWORD wrote = 0;
    if (WriteFile(raw(file), at, part, &wrote, nullptr) == 0 || wrote == 0) fail(path, "Cannot write");
    at += wrote;
    bytes -= wrote;
  }
}

void flush(Handle file, const std::string& path) {
  if (FlushFileBuffers(raw(file)) == 0) fail(path, "Cannot flush");
}

void flush_data(Handle file, const std::string& path) { flush(file, path); }

bool cut(Handle file, std::size_t bytes) noexcept {
  LARGE_INTEGER at{};
  at.QuadPart = static_cast<LONGLONG>(bytes);
  return SetFilePointerEx(raw(file), at, nullptr, FILE_BEGIN) != 0 && SetEndOfFile(raw(file)) != 0;
}

// Locked bytes cannot be read by others: so one byte is locked that no file reaches.
bool lock(Handle file) noexcept {
  OVERLAPPED where{};
  where.Offset = 0xfffffffeU;
  where.OffsetHigh = 0x7fffffffU;
  return LockFileEx(raw(file), LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &where) != 0;
}

void close(Handle file) noexcept {
  if (file != kNoFile) CloseHandle(raw(file));
}

// A file that somebody has open or mapped cannot be replaced, but can be given another name: it goes aside
// first, and is deleted now or, while it is still in use, by the next replacement that finds it.
void rename(const std::string& from, const std::string& to) {
  const std::wstring source = wide(from);
  const std::wstring target = wide(to);
  if (move(source, target)) return;
  for (int i = 0; i < 64; ++i) {
    const std::wstring aside = target + L".old" + std::to_wstring(i);
    DeleteFileW(aside.c_str());
    if (!move(target, aside)) continue;
    if (move(source, target)) {
      DeleteFileW(aside.c_str());
      return;
    }
    const DWORD code = GetLastError();
    move(aside, target);
    SetLastError(code);
    break;
  }
  fail(to, "Cannot replace");
}

void keep(const std::string& from, const std::string& to) {
  const std::string between = to + ".tmp";
  remove(between);
  if (CreateHardLinkW(wide(between).c_str(), wide(from).c_str(), nullptr) == 0) {
    const DWORD code = GetLastError();
    if (code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND) return;
    // FAT knows no second names: a copy takes more room and says the same.
    if (CopyFileW(wide(from).c_str(), wide(between).c_str(), FALSE) == 0) fail(to, "Cannot keep the previous file as");
  }
  rename(between, to);
}

void remove(const std::string& path) noexcept { DeleteFileW(wide(path).c_str()); }

// Names are written through when they change: there is nothing left to flush.
void flush_folder_of(const std::string& /*path*/) {}

}  // namespace mastra::files
