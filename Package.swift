// swift-tools-version: 6.2
// Ringback: a TCP echo and relay service on io_uring, and the load generator that measures it.
// The rooms and the direction of their dependencies are described in docs/Architecture.md.

import PackageDescription

/// Every Swift target: warnings are errors, imports stay internal, and existentials are spelled out.
let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
    // The loop is generic over driver, ring and handler, which live in different modules. Across
    // modules it is specialised into one body only with this flag; `make codegen` proves that it is.
    .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
]

/// Faults that can be put back exist in debug builds alone (`Engine/KnownFault.swift`).
let bugBank: [SwiftSetting] = [.define("BUGBANK", .when(configuration: .debug))]

/// What makes and plays what tests send: optimised in debug builds too, where tests would wait for it
/// longer than for the service.
let quick: [SwiftSetting] = [
    .unsafeFlags(["-O", "-assert-config", "Debug"], .when(configuration: .debug))
]

/// Every C target: the usual warnings, and they are errors too.
let strictC: [CSetting] = [
    .enableWarning("all"), .enableWarning("extra"), .treatAllWarnings(as: .error),
]

/// What the targets of `make fuzz` reach into.
let fuzzed: [Target.Dependency] = [
    "Configuration", "Engine", "Load", "Measure", "Net", "Options", "Relay", "Report", "URing",
    "ringback",
    "ringload",
    .product(name: "ArgumentParser", package: "swift-argument-parser"),
]

let package = Package(
    name: "ringback",
    products: [
        .library(name: "URing", targets: ["URing", "Net"]),
        .library(name: "Engine", targets: ["Engine", "Net"]),
        .library(name: "EngineMetrics", targets: ["EngineMetrics"]),
        .executable(name: "ringback", targets: ["ringback"]),
        .executable(name: "ringload", targets: ["ringload"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(
            name: "CLiburing",
            pkgConfig: "liburing",
            providers: [.apt(["liburing-dev"])]
        ),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CURing", dependencies: ["CLiburing"], cSettings: strictC),
        .target(name: "CLinux", cSettings: strictC),

        .target(name: "URing", dependencies: ["CURing", "Net"], swiftSettings: strict + bugBank),
        .target(name: "Net", dependencies: ["CLinux"], swiftSettings: strict),
        .target(
            name: "Engine",
            dependencies: ["URing", "Net"],
            swiftSettings: strict + bugBank
        ),
        .target(
            name: "Confinement",
            dependencies: ["CLinux", "Net"],
            swiftSettings: strict
        ),
        .target(
            name: "EngineMetrics",
            dependencies: ["Engine", .product(name: "CoreMetrics", package: "swift-metrics")],
            swiftSettings: strict
        ),
        .target(name: "Services", dependencies: ["Engine"], swiftSettings: strict),
        .target(name: "Relay", dependencies: ["Engine", "Net"], swiftSettings: strict),
        .target(
            name: "Measure",
            dependencies: [
                "CZlib", "Net", .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            swiftSettings: strict
        ),
        .target(name: "Load", dependencies: ["Engine", "Net", "Measure"], swiftSettings: strict),
        .target(name: "Report", dependencies: ["Load", "Measure"], swiftSettings: strict),
        .target(name: "Conform", dependencies: ["Net"], swiftSettings: strict),

        .target(
            name: "Options",
            dependencies: [
                "Engine", "Net", "URing",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "Configuration",
            dependencies: [
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "Doctor",
            dependencies: ["Confinement", "Engine", "Measure", "Net", "URing"],
            swiftSettings: strict
        ),
        .target(name: "Admin", dependencies: ["Engine", "Measure", "Net"], swiftSettings: strict),
        .executableTarget(
            name: "ringback",
            dependencies: [
                "Admin", "Configuration", "Confinement", "Doctor", "Services", "Relay", "Engine",
                "Net", "Options",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict + bugBank
        ),
        .executableTarget(
            name: "ringload",
            dependencies: [
                "Conform", "Load", "Measure", "Report", "Engine", "Net", "Options",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),

        .target(
            name: "Support",
            dependencies: ["Engine", "Net", "Services"],
            path: "Tests/Support",
            exclude: ["allocation-counter.c", "go-echo"],
            swiftSettings: strict + quick
        ),
        .target(
            name: "Simulation",
            dependencies: ["Engine", "Net", "Services", "URing"],
            path: "Tests/Simulation",
            swiftSettings: strict + quick
        ),
        .executableTarget(
            name: "simulate",
            dependencies: [
                "Engine", "Simulation", "Support",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Simulate",
            swiftSettings: strict + bugBank
        ),
        .testTarget(
            name: "SimulationTests",
            dependencies: [
                "Engine", "Net", "Simulation", "Support", "URing", "ringback", "simulate",
            ],
            swiftSettings: strict + bugBank
        ),
        .testTarget(name: "NetTests", dependencies: ["Net"], swiftSettings: strict),
        .testTarget(name: "URingTests", dependencies: ["URing", "Net"], swiftSettings: strict),
        .testTarget(
            name: "EngineTests",
            dependencies: ["Engine", "Load", "Net", "Services", "Support"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "RelayTests",
            dependencies: ["Engine", "Net", "Relay", "Support"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "LoadTests",
            dependencies: ["Load", "Measure", "Engine", "Net", "Support", "ringload"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ConformTests",
            dependencies: ["Conform", "Engine", "Net", "Support", "URing"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "MeasureTests",
            dependencies: [
                "Measure", "Net", .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            exclude: ["reference.hlog"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ReportTests",
            dependencies: ["Load", "Measure", "Report", "Support"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "DoctorTests",
            dependencies: ["Confinement", "Doctor", "Support", "URing"],
            swiftSettings: strict
        ),
        .target(
            name: "Attempts",
            dependencies: ["CURing"],
            path: "Tests/ConfinementProbe/Attempts",
            cSettings: strictC
        ),
        .executableTarget(
            name: "confinement-probe",
            dependencies: [
                "Attempts", "Confinement",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/ConfinementProbe/Probe",
            swiftSettings: strict
        ),
        .testTarget(
            name: "ConfinementTests",
            dependencies: [
                "CLinux", "Confinement", "Doctor", "Net", "Support", "confinement-probe",
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ConfigurationTests",
            dependencies: [
                "Configuration", "Support", "ringback",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "AdminTests",
            dependencies: ["Admin", "Engine", "Net", "Support"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "EngineMetricsTests",
            dependencies: [
                "Admin", "Engine", "EngineMetrics", "Net", "Services", "Support",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            swiftSettings: strict
        ),
        .testTarget(name: "OptionsTests", dependencies: ["Options"], swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests",
            dependencies: ["Engine", "Net", "Support"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "SoakTests",
            dependencies: ["Engine", "Net", "Support"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "DeployTests",
            dependencies: ["Measure", "Net", "Support"],
            exclude: ["servicemonitor.schema.json"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "DocumentationTests",
            dependencies: ["Support"],
            swiftSettings: strict
        ),
        .testTarget(name: "TidyTests", dependencies: [], swiftSettings: strict),
        .testTarget(
            name: "FuzzTests",
            dependencies: fuzzed,
            path: "Tests/Fuzz",
            exclude: ["CFuzzer", "Runner", "corpus"],
            swiftSettings: strict
        ),
    ],
    swiftLanguageModes: [.v6]
)

// `make fuzz` sets this. The targets are then a program with libFuzzer in it, which an ordinary build
// could not link, instead of tests; and the two programs are libraries of it, whose own entry is out
// of its way.
if Context.environment["RINGBACK_FUZZ"] != nil {
    package.products = [.executable(name: "fuzz", targets: ["fuzz"])]
    package.targets = package.targets.filter { !$0.isTest }.map { target in
        guard ["ringback", "ringload"].contains(target.name) else { return target }
        let entry = ["-entry-point-function-name", "\(target.name)_main"]
        return .target(
            name: target.name,
            dependencies: target.dependencies,
            swiftSettings: strict + [.unsafeFlags(entry.flatMap { ["-Xfrontend", $0] })]
        )
    }
    package.targets += [
        .systemLibrary(name: "CFuzzer", path: "Tests/Fuzz/CFuzzer"),
        .executableTarget(
            name: "fuzz",
            dependencies: fuzzed + ["CFuzzer"],
            path: "Tests/Fuzz",
            exclude: ["CFuzzer", "corpus", "ReplayTests.swift"],
            swiftSettings: strict
        ),
    ]
}

// CI sets this to the test targets that it runs with AddressSanitizer: that build takes minutes.
if let named = Context.environment["RINGBACK_TEST_TARGETS"]?.split(separator: " ") {
    package.targets.removeAll { target in target.isTest && !named.contains { $0 == target.name } }
}

// `make tsan` sets this. The compiler of Swift 6.3 makes invalid code of `Load` with ThreadSanitizer,
// so what stands on it is left out.
if Context.environment["RINGBACK_WITHOUT_LOAD"] != nil {
    let left = [
        "Load", "LoadTests", "Report", "ReportTests", "ringload", "FuzzTests", "EndToEndTests",
    ]
    package.products.removeAll { left.contains($0.name) }
    package.targets.removeAll { left.contains($0.name) }
    for target in package.targets where target.name == "EngineTests" {
        target.dependencies = ["Engine", "Net", "Services", "Support"]
        target.exclude = ["ConformanceTests.swift"]
    }
}
