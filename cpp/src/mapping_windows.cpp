#include "mapping.hpp"

#include <new>

#include "files.hpp"
#include "windows_api.hpp"

namespace mastra {
namespace {

void* view_of(HANDLE file) noexcept {
  const HANDLE section = CreateFileMappingW(file, nullptr, PAGE_WRITECOPY, 0, 0, nullptr);
  if (section == nullptr) return nullptr;
  void* at = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0);
  CloseHandle(section);  // the view keeps it
  return at;
}

bool read_all(HANDLE file, std::uint8_t* to, std::size_t bytes) noexcept {
  while (bytes > 0) {
    const auto part = static_cast<DWORD>(bytes < (1U << 30U) ? bytes : 1U << 30U);
    DWORD got = 0;
    if (ReadFile(file, to, part, &got, nullptr) == 0) return false;
    if (got == 0) {
      SetLastError(ERROR_HANDLE_EOF);
      return false;
    }
    to += got;
    bytes -= got;
  }
  return true;
}

}  // namespace

// mapped_ is the size of our own memory, 0 for a view of the file: the two are given back differently.
Mapping::Mapping(const std::string& path, bool mmap_file) {
  const HANDLE file =
      CreateFileW(wide(path).c_str(), GENERIC_READ, kShareAll, nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) files::fail(path, "Cannot open");
  LARGE_INTEGER size{};
  if (GetFileSizeEx(file, &size) == 0) {
    const DWORD code = GetLastError();
    CloseHandle(file);
    SetLastError(code);
    files::fail(path, "Cannot read");
  }
  size_ = static_cast<std::size_t>(size.QuadPart);
  if (mmap_file && size_ != 0) {
    data_ = static_cast<std::uint8_t*>(view_of(file));
    CloseHandle(file);
    if (data_ == nullptr) throw std::bad_alloc();
    return;
  }
  mapped_ = size_ == 0 ? 1 : size_;
  data_ = static_cast<std::uint8_t*>(VirtualAlloc(nullptr, mapped_, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
  if (data_ == nullptr) {
    CloseHandle(file);
    throw std::bad_alloc();
  }
  const bool whole = read_all(file, data_, size_);
  const DWORD code = GetLastError();
  CloseHandle(file);
  if (whole) return;
  VirtualFree(data_, 0, MEM_RELEASE);
  SetLastError(code);
  files::fail(path, "Cannot read");
}

Mapping::~Mapping() {
  if (mapped_ == 0) {
    UnmapViewOfFile(data_);
  } else {
    VirtualFree(data_, 0, MEM_RELEASE);
  }
}

}  // namespace mastra
