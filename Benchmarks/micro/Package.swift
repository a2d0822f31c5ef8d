// swift-tools-version: 6.2
// What a turn of the engine costs by itself: micro-benchmarks, and a program for callgrind to
// count. Apart from the project, so that nobody who builds that needs the benchmark library.

import PackageDescription

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
]

let package = Package(
    name: "micro",
    dependencies: [
        .package(name: "ringback", path: "../.."),
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .target(
            name: "IdealKernel",
            dependencies: [
                .product(name: "Engine", package: "ringback"),
                .product(name: "URing", package: "ringback"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(name: "turns", dependencies: ["IdealKernel"], swiftSettings: strict),
        .executableTarget(
            name: "TurnBenchmarks",
            dependencies: ["IdealKernel", .product(name: "Benchmark", package: "benchmark")],
            path: "Benchmarks/TurnBenchmarks",
            swiftSettings: strict,
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
        ),
    ],
    swiftLanguageModes: [.v6]
)
