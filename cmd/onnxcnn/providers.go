package main

import _ "github.com/onnxcnn/onnxcnn/backend/ort" // --provider ort
