// Checks a tanh RNN in C++ against vectors in JSON, with nothing but the standard library:
//
//     verify vectors rnn --json rnn.json
//     g++ -std=c++17 -O1 docs/vectors_reader.cpp -o reader && ./reader rnn.json
//
// Replace `run` by your own layer. Exit code 1 where a result is outside of its bound.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

// A value of JSON. Text escapes occur in no name that is looked up here; they are kept as written.
struct Json {
    double number = 0;
    std::string text;
    std::vector<Json> items;
    std::map<std::string, Json> members;
    const Json& operator[](const std::string& name) const { return members.at(name); }
};

struct Reader {
    const char* at;
    char next() {
        while (*at == ' ' || *at == '\n') ++at;
        return *at;
    }
    std::string quoted() {
        const char* start = ++at;
        for (; *at != '"'; ++at)
            if (*at == '\\') ++at;
        return {start, at++};
    }
    Json value() {
        Json found;
        char first = next();
        if (first == '{') {
            for (++at; next() != '}'; next() == ',' ? ++at : at) {
                std::string name = quoted();
                next(), ++at;  // the colon
                found.members[name] = value();
            }
            ++at;
        } else if (first == '[') {
            for (++at; next() != ']'; next() == ',' ? ++at : at) found.items.push_back(value());
            ++at;
        } else if (first == '"') {
            found.text = quoted();
        } else if (first == 'n') {
            at += 4;  // null
        } else {
            char* end;
            found.number = std::strtod(at, &end);
            at = end;
        }
        return found;
    }
};

// An array: its last axis runs fastest. Numbers of a float32 example are exact as float, too.
template <class Real>
std::vector<Real> array(const Json& part, const std::string& name) {
    std::vector<Real> found;
    for (const Json& item : part[name]["data"].items) found.push_back(Real(item.number));
    return found;
}

template <class Real>
using Results = std::map<std::string, std::vector<Real>>;

// The layer: y is (T, B, n), zero past a row's length, where the state stays as it ended.
template <class Real>
Results<Real> run(const Json& given, int T, int B, int n, int m) {
    auto W = array<Real>(given, "params/W"), U = array<Real>(given, "params/U");
    auto b = array<Real>(given, "params/b"), x = array<Real>(given, "inputs/x");
    auto h = array<Real>(given, "state_0/h"), lengths = array<Real>(given, "lengths");
    std::vector<Real> y(T * B * n, 0), after = h;
    for (int t = 0; t < T; ++t, h = after)
        for (int row = 0; row < B; ++row)
            for (int i = 0; i < n && t < lengths[row]; ++i) {
                Real sum = b[i];
                for (int j = 0; j < m; ++j) sum += W[i * m + j] * x[(t * B + row) * m + j];
                for (int j = 0; j < n; ++j) sum += U[i * n + j] * h[row * n + j];
                y[(t * B + row) * n + i] = after[row * n + i] = std::tanh(sum);
            }
    return {{"y", y}, {"state_T/h", h}};
}

template <class Real>
int wrong(const Json& example) {
    const Json& sizes = example["sizes"];
    auto size = [&](const char* name) { return int(sizes[name].number); };
    auto found = run<Real>(example["given"], size("T"), size("B"), size("n"), size("m"));
    int count = 0;
    for (auto& [name, got] : found) {
        if (!example["expected"].members.count(name)) continue;  // rounding left too little of it
        auto expected = array<double>(example["expected"], name);
        auto bound = array<double>(example["bound"], name);
        for (size_t k = 0; k < expected.size(); ++k)
            if (!(std::fabs(double(got[k]) - expected[k]) <= bound[k]) && !count++)
                std::printf("%s: %s, entry %zu is %.17g, expected %.17g, may differ by %.2g\n",
                            example["label"].text.c_str(), name.c_str(), k, double(got[k]),
                            expected[k], bound[k]);
    }
    return count;
}

int main(int count_of, char** arguments) {
    std::ifstream file(count_of > 1 ? arguments[1] : "rnn.json");
    if (!file) return std::puts("which file?"), 2;
    std::string text{std::istreambuf_iterator<char>(file), {}};
    Json document = Reader{text.c_str()}.value();
    int count = 0;
    for (const Json& example : document["examples"].items) {
        bool single = example["dtype"].text == "float32";
        count += single ? wrong<float>(example) : wrong<double>(example);
    }
    std::printf("%zu examples, %d entries wrong\n", document["examples"].items.size(), count);
    return count > 0;
}
