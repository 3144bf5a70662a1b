// Driver of the search for windows under sanitizers: results against a plain search, hostile sizes.

#include "sanitize_driver.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "repeat_finder.hpp"
#include "token_bytes.hpp"
#include "window_set.hpp"

namespace {

using Bytes = std::vector<std::uint8_t>;
using Ends = std::vector<std::int64_t>;

struct Texts {
    Bytes data;
    Ends ends;
};

// Texts of few letters, so that windows repeat; `width` bytes an element.
Texts random_texts(std::size_t width) {
    Texts texts;
    const std::size_t letters = 1 + below(3);
    for (std::size_t count = below(5); count; --count) {
        for (std::size_t left = below(at_most(90, 20)); left; --left) {
            const auto letter = static_cast<std::uint8_t>(below(letters));
            texts.data.insert(texts.data.end(), width, letter);
        }
        texts.ends.push_back(static_cast<std::int64_t>(texts.data.size() / width));
    }
    return texts;
}

template <class Do>
void each_text(const Texts& texts, std::size_t width, Do action) {
    std::size_t begin = 0;
    for (const std::int64_t end : texts.ends) {
        const auto stop = static_cast<std::size_t>(end) * width;
        action(Bytes(texts.data.begin() + static_cast<std::ptrdiff_t>(begin),
                     texts.data.begin() + static_cast<std::ptrdiff_t>(stop)));
        begin = stop;
    }
}

bool occurs(const Texts& segments, std::size_t width, const Bytes& window) {
    bool found = false;
    each_text(segments, width, [&](const Bytes& segment) {
        for (auto at = segment.begin(); !found; at += static_cast<std::ptrdiff_t>(width)) {
            const auto left = static_cast<std::size_t>(segment.end() - at);
            if (left < window.size()) return;
            found = std::equal(window.begin(), window.end(), at);
        }
    });
    return found;
}

void windows() {
    const std::size_t width = std::size_t{1} << below(3), window = 1 + below(40);
    const Texts texts = random_texts(width), segments = random_texts(width);
    std::vector<spike::WindowSet> made;
    attempt([&] { made.emplace_back(texts.data, texts.ends, width, window); });
    spike::WindowSet& found = made.front();
    attempt([&] { found.scan(segments.data, segments.ends); });
    Ends number(texts.ends.size()), seen(texts.ends.size());
    found.count(number, seen);
    std::size_t text = 0;
    each_text(texts, width, [&](const Bytes& content) {
        const std::size_t size = std::min(window * width, content.size());
        std::int64_t windows = 0, known = 0;
        for (std::size_t at = 0; size && at + size <= content.size(); at += width, ++windows) {
            const auto begin = content.begin() + static_cast<std::ptrdiff_t>(at);
            known += occurs(segments, width, {begin, begin + static_cast<std::ptrdiff_t>(size)});
        }
        require(number[text] == windows && seen[text] == known, "windows differ");
        ++text;
    });
}

void repeats() {
    const Texts texts = random_texts(1), segments = random_texts(1);
    const std::size_t at_least = 1 + below(20);
    std::vector<spike::RepeatFinder> made;
    attempt([&] { made.emplace_back(texts.data, at_least); });
    made.front().scan(segments.data, segments.ends);
    std::vector<spike::Repeat> found;
    attempt([&] { found = made.front().take(); });
    std::size_t longest = 0, expected = 0;
    for (const auto& repeat : found) {
        require(repeat.length <= repeat.end && repeat.length <= repeat.position, "a place differs");
        require(
            std::equal(texts.data.begin() + static_cast<std::ptrdiff_t>(repeat.end - repeat.length),
                       texts.data.begin() + static_cast<std::ptrdiff_t>(repeat.end),
                       segments.data.begin() +
                           static_cast<std::ptrdiff_t>(repeat.position - repeat.length)),
            "a passage differs");
        longest = std::max(longest, repeat.length);
    }
    for (std::size_t begin = 0; begin < texts.data.size(); ++begin) {
        for (std::size_t end = begin + std::max(at_least, expected + 1); end <= texts.data.size();
             ++end) {
            const auto at = texts.data.begin();
            if (!occurs(segments, 1,
                        {at + static_cast<std::ptrdiff_t>(begin),
                         at + static_cast<std::ptrdiff_t>(end)}))
                break;
            expected = end - begin;
        }
    }
    require(longest == expected, "a longer passage exists");
}

void decoding() {
    const Texts entries = random_texts(1);
    Ends offsets{0};
    offsets.insert(offsets.end(), entries.ends.begin(), entries.ends.end());
    std::vector<spike::TokenBytes> made;
    attempt([&] { made.emplace_back(entries.data, offsets); });
    std::vector<std::uint16_t> ids(below(30));
    for (auto& id : ids) id = static_cast<std::uint16_t>(below(offsets.size()));
    const auto known = [&](std::uint16_t id) { return id + 1u < offsets.size(); };
    if (!std::all_of(ids.begin(), ids.end(), known)) {
        must_refuse([&] { made.front().decode<std::uint16_t>(ids); }, "an unknown id");
        return;
    }
    attempt([&] { made.front().decode<std::uint16_t>(ids); });
    Bytes bytes;
    Ends ends;
    for (const std::uint16_t id : ids) {
        if (offsets[id] == offsets[id + 1u])
            ends.push_back(static_cast<std::int64_t>(bytes.size()));
        bytes.insert(bytes.end(), entries.data.begin() + offsets[id],
                     entries.data.begin() + offsets[id + 1u]);
    }
    ends.push_back(static_cast<std::int64_t>(bytes.size()));
    const auto found = made.front().bytes();
    const auto found_ends = made.front().ends();
    require(std::equal(bytes.begin(), bytes.end(), found.begin(), found.end()) &&
                std::equal(ends.begin(), ends.end(), found_ends.begin(), found_ends.end()),
            "bytes differ");
}

std::int64_t odd_number() {
    switch (below(4)) {
        case 0:
            return static_cast<std::int64_t>(std::uint64_t{generator()} << 32 | generator());
        case 1:
            return INT64_MAX - static_cast<std::int64_t>(below(3));
        case 2:
            return -static_cast<std::int64_t>(below(3));
        default:
            return static_cast<std::int64_t>(below(100));
    }
}

void hostile() {
    Texts texts = random_texts(1), segments = random_texts(1);
    for (Texts* one : {&texts, &segments}) {
        for (auto& end : one->ends) {
            if (below(8) == 0) end = odd_number();
        }
        if (below(4) == 0) one->data.resize(below(one->data.size() + 1));
    }
    const auto size = [] { return static_cast<std::size_t>(odd_number()); };
    const std::size_t width = below(3) ? 1 + below(4) : size();
    try {
        spike::WindowSet found(texts.data, texts.ends, width, below(3) ? 1 + below(60) : size());
        found.scan(segments.data, segments.ends);
        Ends counts(below(5) ? texts.ends.size() : below(9));
        found.count(counts, counts);
    } catch (const std::invalid_argument&) {
    } catch (const std::bad_alloc&) {
    }
    try {
        spike::RepeatFinder finder(texts.data, size());
        finder.scan(segments.data, segments.ends);
        finder.take();
    } catch (const std::invalid_argument&) {
    } catch (const std::bad_alloc&) {
    }
    try {
        spike::TokenBytes decoder(texts.data, segments.ends);
        const std::vector<std::uint32_t> ids(below(9), generator());
        decoder.decode<std::uint32_t>(ids);
    } catch (const std::invalid_argument&) {
    } catch (const std::bad_alloc&) {
    }
}

}  // namespace

int main(int argc, char** argv) {
    return drive(argc, argv, 2'000, {windows, repeats, decoding, hostile});
}
